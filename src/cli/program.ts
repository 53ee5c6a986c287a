// The commands for people. Each lives in its own file and is loaded when it is used; this file only
// says how they are called, and turns what they throw into a sentence and an exit code.

import { Command, CommanderError } from 'commander';
import { describeError, EXIT_USAGE } from './errors.ts';

/** What a command may touch of its process. */
export interface CommandContext {
  env: Readonly<Record<string, string | undefined>>;
  /** To stdout. */
  print(line: string): void;
  printError(line: string): void;
  /** Somebody watches stdout. */
  isTerminal?: boolean;
}

const EXIT_CODES = `
Exit codes: 0 done; 1 it could not be done; 2 wrong usage or input; 130 stopped by a second Ctrl-C.`;

/** `args` without node and script. Resolves with the exit code; never rejects. */
export async function runCommand(
  args: readonly string[],
  context: CommandContext = processContext(),
): Promise<number> {
  let exitCode = 0;
  const program = createProgram(context, (code) => {
    exitCode = code;
  });
  try {
    if (args.length === 0) program.help({ error: true });
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    const described = describeError(error);
    const problems = described?.problems ?? [String((error as Error).stack ?? error)];
    for (const problem of problems) {
      context.printError(`error: ${problem.trimEnd().replaceAll('\n', '\n  ')}`);
    }
    return described?.exitCode ?? 1;
  }
}

function processContext(): CommandContext {
  return {
    env: process.env,
    print: (line) => process.stdout.write(`${line}\n`),
    printError: (line) => process.stderr.write(`${line}\n`),
    isTerminal: process.stdout.isTTY === true,
  };
}

function createProgram(context: CommandContext, exitWith: (code: number) => void): Command {
  const program = new Command('pilotlight')
    .description('Request-driven services from Knative YAML: one command, no Kubernetes needed.')
    .exitOverride()
    .showHelpAfterError('(--help shows how)')
    .addHelpText('after', `${EXIT_CODES}\n`)
    .addHelpText('after', 'Start here:\n  $ pilotlight up -f examples/hello');
  addUp(program, context, exitWith);
  addApply(program, context);
  addGet(program, context);
  addDelete(program, context);
  addLogs(program, context);
  addWhy(program, context);
  addTop(program, context);
  addKubeconfig(program, context);
  addVersion(program, context);
  return program;
}

function addUp(program: Command, context: CommandContext, exitWith: (code: number) => void): void {
  program
    .command('up')
    .description('Run everything on this machine until Ctrl-C.')
    .option('-f, --file <path>', 'apply this file or folder at start (repeatable)', collect)
    .option('--port <port>', 'gateway port on 127.0.0.1; 0 = any free one (default: 8080)')
    .option('--api-port <port>', 'API port; 0 = any (default: 6443 or the next free one)')
    .option('--data-dir <folder>', 'where objects and logs are kept')
    .option('--name <name>', 'name of this run (default: "default")')
    .option('--domain <domain>', 'domain of service URLs (default: localhost)')
    .option('--image <name=command>', 'run this command for that image (repeatable)', collect)
    .option('--ephemeral', 'keep nothing after the end')
    .option('--durability <how>', 'kernel: survive a crash; disk: survive power loss')
    .option('--sidecar <how>', 'hosted: in the data plane; process: one process per pod')
    .option('--http-engine <engine>', 'request engine: net')
    .option('--log-format <format>', 'auto, plain or json')
    .addHelpText(
      'after',
      `
Examples:
  $ pilotlight up -f examples/hello
  $ pilotlight up -f service.yaml --image shop="node dist/server.js" --port 9000
  $ pilotlight up --name second --port 8090 --ephemeral
${EXIT_CODES}`,
    )
    .action(async (options: Record<string, string | string[] | boolean>) => {
      const { up } = await import('./up.ts');
      exitWith(await up(options, context));
    });
}

function addApply(program: Command, context: CommandContext): void {
  withRun(program.command('apply').description('Create or change objects from YAML.'))
    .requiredOption('-f, --file <path>', 'file or folder (repeatable)', collect)
    .option('-n, --namespace <namespace>', 'for objects that name none', 'default')
    .addHelpText(
      'after',
      '\nExamples:\n  $ pilotlight apply -f service.yaml\n  $ pilotlight apply -f a/ -f b.yaml',
    )
    .action(async (options) => (await import('./apply.ts')).apply(options, context));
}

function addGet(program: Command, context: CommandContext): void {
  withRun(program.command('get').description('Show objects as a table, YAML or JSON.'))
    .argument('<kinds>', 'kind, plural or short name; several with commas')
    .argument('[name...]', 'only these')
    .option('-n, --namespace <namespace>', 'namespace', 'default')
    .option('-A, --all-namespaces', 'all namespaces')
    .option('-o, --output <format>', 'wide, yaml, json or name')
    .option('-l, --selector <selector>', 'label selector')
    .addHelpText(
      'after',
      '\nExamples:\n  $ pilotlight get ksvc\n  $ pilotlight get revision,pods -A\n  $ pilotlight get ksvc hello -o yaml',
    )
    .action(async (kinds, names, options) =>
      (await import('./get.ts')).get(kinds, names, options, context),
    );
}

function addDelete(program: Command, context: CommandContext): void {
  withRun(program.command('delete').description('Delete objects.'))
    .argument('[kind]', 'kind, plural or short name')
    .argument('[name...]', 'names')
    .option('-f, --file <path>', 'the objects in this file or folder (repeatable)', collect)
    .option('-n, --namespace <namespace>', 'namespace', 'default')
    .addHelpText(
      'after',
      '\nExamples:\n  $ pilotlight delete ksvc hello\n  $ pilotlight delete -f service.yaml',
    )
    .action(async (kind, names, options) =>
      (await import('./delete.ts')).deleteObjects(kind, names, options, context),
    );
}

function addLogs(program: Command, context: CommandContext): void {
  withRun(program.command('logs').description('Show what the pods of a service print.'))
    .argument('<service>', 'name of a Knative Service, or pod/<name>')
    .option('-n, --namespace <namespace>', 'namespace', 'default')
    .option('-f, --follow', 'go on as lines come, new pods included')
    .option('-c, --container <name>', "default: the user's container")
    .option('-p, --previous', "of the container's previous run")
    .option('--tail <lines>', 'only so many last lines')
    .option('--timestamps', 'put the time before each line')
    .addHelpText(
      'after',
      '\nExamples:\n  $ pilotlight logs hello\n  $ pilotlight logs hello -f --tail 20',
    )
    .action(async (service, options) =>
      (await import('./logs.ts')).logs(service, options, context),
    );
}

function addWhy(program: Command, context: CommandContext): void {
  withRun(program.command('why').description('Say why a service runs as many pods as it does.'))
    .argument('<service|revision>', 'a service stands for its revisions that get traffic')
    .option('-n, --namespace <namespace>', 'namespace', 'default')
    .option('--json', 'the decisions as the autoscaler keeps them')
    .addHelpText(
      'after',
      '\nExamples:\n  $ pilotlight why hello\n  $ pilotlight why hello-00001 --json',
    )
    .action(async (name, options) => (await import('./why.ts')).why(name, options, context));
}

function addTop(program: Command, context: CommandContext): void {
  withRun(program.command('top').description('Show load and pods of all revisions, live.'))
    .option('-n, --namespace <namespace>', 'only this namespace')
    .option('--once', 'print one table and end (as when the output is no terminal)')
    .option('--json', 'one JSON document, then end')
    .option('--interval <seconds>', 'between two tables', '2')
    .addHelpText('after', '\nExamples:\n  $ pilotlight top\n  $ pilotlight top -n shop --once')
    .action(async (options) => (await import('./top.ts')).top(options, context));
}

function addKubeconfig(program: Command, context: CommandContext): void {
  withRun(program.command('kubeconfig').description('Print the path of the kubeconfig of a run.'))
    .option('--raw', 'print its content instead')
    .addHelpText(
      'after',
      '\nExamples:\n  $ kubectl --kubeconfig "$(pilotlight kubeconfig)" get ksvc',
    )
    .action(async (options) => (await import('./kubeconfig.ts')).kubeconfig(options, context));
}

function addVersion(program: Command, context: CommandContext): void {
  withRun(
    program.command('version').description('Print the version of this program and of the API.'),
  )
    .option('--client', 'of this program only')
    .addHelpText('after', '\nExamples:\n  $ pilotlight version')
    .action(async (options) => (await import('./version.ts')).version(options, context));
}

/** Options that say which run a command talks to. */
function withRun(command: Command): Command {
  return command
    .option('--name <name>', 'name of the run')
    .option('--data-dir <folder>', 'data directory of the run')
    .option('--kubeconfig <path>', 'any other API instead');
}

function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}
