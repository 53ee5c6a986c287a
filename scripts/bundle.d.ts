// Types of scripts/bundle.js, for the house test that calls it.

import type { Metafile } from 'esbuild';

/** By entry, without extension: `main`, `queueproxy/start`, … */
export function bundleSidecar(folder: string): Promise<Record<string, Metafile>>;

export interface Origin {
  origin: string;
  files: number;
  bytes: number;
}

export function sizesByOrigin(metafile: Metafile): Origin[];
