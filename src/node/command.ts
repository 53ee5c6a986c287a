// What to execute for a container when there are no images: the command as given, or what the image
// map says about the image's name. Pure; whether a file exists is asked through a function.

import { delimiter, isAbsolute, join, resolve } from 'node:path';
import type { Container } from '../api/core.ts';
import { type ImageMap, imageBaseName } from '../settings/image-map.ts';

export type Resolved<T> = { ok: true; value: T } | { ok: false; reason: string; message: string };

/** RC-80. `reason` is the container's waiting reason, as a kubelet names it. */
export function resolveArgv(container: Container, images: ImageMap): Resolved<readonly string[]> {
  const args = container.args ?? [];
  if (container.command !== undefined && container.command.length > 0) {
    return { ok: true, value: [...container.command, ...args] };
  }
  const image = container.image ?? '';
  const name = imageBaseName(image);
  const mapped = images[name];
  if (mapped !== undefined) return { ok: true, value: [...mapped, ...args] };
  return {
    ok: false,
    reason: 'ErrImagePull',
    message:
      `image "${image}" is not mapped to a local command: start with ` +
      `--image ${name === '' ? 'name' : name}="command args", or set "command" on the container`,
  };
}

/** Looks `command` up as execvp would, with the container's PATH and working directory. */
export function findExecutable(
  command: string,
  cwd: string,
  path: string,
  isExecutable: (path: string) => boolean,
): Resolved<string> {
  const candidates = command.includes('/')
    ? [isAbsolute(command) ? command : resolve(cwd, command)]
    : path.split(delimiter).map((folder) => join(folder === '' ? cwd : folder, command));
  const found = candidates.find(isExecutable);
  if (found !== undefined) return { ok: true, value: found };
  const where = command.includes('/') ? `in ${cwd}` : 'in PATH';
  return {
    ok: false,
    reason: 'CreateContainerError',
    message: `executable "${command}" not found ${where}, or it may not be executed`,
  };
}

/**
 * Where the process starts: the container's absolute workingDir if it exists, else that path under
 * the folder its YAML came from, else where `pilotlight up` was started. `usedFallback` is true
 * when a workingDir was asked for and exists nowhere.
 */
export function resolveWorkingDir(
  workingDir: string | undefined,
  sourceDir: string | undefined,
  startDir: string,
  isDirectory: (path: string) => boolean,
): { cwd: string; usedFallback: boolean } {
  const wanted = workingDir ?? '';
  if (wanted !== '' && isAbsolute(wanted) && isDirectory(wanted)) {
    return { cwd: wanted, usedFallback: false };
  }
  if (sourceDir !== undefined && isAbsolute(sourceDir)) {
    const under = join(sourceDir, wanted);
    if (isDirectory(under)) return { cwd: under, usedFallback: false };
  }
  return { cwd: startDir, usedFallback: wanted !== '' };
}
