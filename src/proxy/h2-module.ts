// node:http2, loaded when the first connection needs it: a sidecar that only ever sees HTTP/1.1
// pays neither its start-up time nor its memory. Not hot.

export type Http2Module = typeof import('node:http2');

let loading: Promise<Http2Module> | null = null;
let loaded: Http2Module | null = null;

export function loadHttp2(): Promise<Http2Module> {
  loading ??= import('node:http2').then((module) => {
    loaded = module;
    return module;
  });
  return loading;
}

/** The module, if it was loaded already. */
export function http2Module(): Http2Module | null {
  return loaded;
}
