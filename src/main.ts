#!/usr/bin/env node
// The one program: finds out which role this process plays and loads that role, and nothing else.
// Nothing heavy may be imported here, because every role pays for it at every start.

import { systemClock } from './clock/clock.ts';
import { chooseRole, type ProcessRole } from './settings/role.ts';

const EXIT_USAGE = 2;

// Not awaited: this file is also built as a script, which cannot.
void run();

async function run() {
  const choice = chooseRole(process.argv.slice(2), process.env);
  switch (choice.kind) {
    case 'role':
      await startRole(choice.role, choice.args);
      break;
    case 'command': {
      const { runCommand } = await import('./cli/program.ts');
      process.exitCode = await runCommand(choice.args);
      break;
    }
    case 'embedded':
      console.error(`The ${choice.role} role runs inside \`pilotlight up\` in this version.`);
      process.exitCode = EXIT_USAGE;
      break;
    case 'unknown':
      console.error(`There is no role "${choice.role}"; see \`pilotlight --help\`.`);
      process.exitCode = EXIT_USAGE;
  }
}

async function startRole(role: ProcessRole, args: readonly string[]) {
  if (role === 'standalone-control') {
    const { runControl } = await import('./standalone/control.ts');
    return runControl();
  }
  if (role === 'standalone-data-plane') {
    const { runDataPlane } = await import('./standalone/data-plane.ts');
    return runDataPlane();
  }
  const processDeps = {
    env: process.env,
    clock: systemClock,
    random: Math.random,
    onSignal(listener: () => void) {
      for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, listener);
    },
    exit: (code: number) => process.exit(code),
    printError: (line: string) => console.error(line),
  };
  if (role === 'activator') {
    const { runActivator } = await import('./activator/process.ts');
    return runActivator({ ...processDeps, args });
  }
  if (role === 'autoscaler') {
    const { runAutoscaler } = await import('./autoscaler/process.ts');
    return runAutoscaler(processDeps);
  }
  if (role === 'controller') {
    const { runController } = await import('./controller/process.ts');
    return runController({ ...processDeps, args });
  }
  if (role === 'webhook') {
    const { runWebhook } = await import('./webhook/process.ts');
    await runWebhook({ ...processDeps, args });
    return;
  }
  const { startQueueProxy } = await import('./queueproxy/start.ts');
  return startQueueProxy(processDeps);
}
