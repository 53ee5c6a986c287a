// A collector for tests: takes OTLP over HTTP or gRPC on a real socket, answers what the test says,
// and shows what arrived by field number, so that the encoder is not its own judge.

import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type status,
  type UntypedHandleCall,
} from '@grpc/grpc-js';

export interface Export {
  readonly path: string;
  readonly headers: IncomingHttpHeaders | Record<string, unknown>;
  readonly message: Fields;
}

export interface Collector {
  readonly url: string;
  readonly exports: Export[];
  close(): Promise<void>;
}

/** A message by field number. */
export class Fields {
  readonly #values = new Map<number, (bigint | Uint8Array)[]>();

  constructor(bytes: Uint8Array) {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      const values = this.#values.get(field) ?? [];
      this.#values.set(field, values);
      if (type === WireType.Varint) values.push(BigInt(reader.uint64()));
      else if (type === WireType.Bit64) values.push(BigInt(reader.fixed64()));
      else values.push(reader.bytes());
    }
  }

  /** The repeated messages at the end of that path of field numbers. */
  all(...path: number[]): Fields[] {
    const [field, ...rest] = path;
    if (field === undefined) return [this];
    const children = (this.#values.get(field) ?? []).map(
      (value) => new Fields(value as Uint8Array),
    );
    return children.flatMap((child) => child.all(...rest));
  }

  number(field: number): bigint {
    return (this.#values.get(field)?.[0] as bigint | undefined) ?? 0n;
  }

  double(field: number): number {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, this.number(field));
    return view.getFloat64(0);
  }

  bytes(field: number): Buffer {
    return Buffer.from((this.#values.get(field)?.[0] as Uint8Array | undefined) ?? []);
  }

  text(field: number): string {
    return this.bytes(field).toString('utf8');
  }

  /** All values of a repeated string. */
  texts(field: number): string[] {
    const values = (this.#values.get(field) ?? []) as Uint8Array[];
    return values.map((value) => Buffer.from(value).toString('utf8'));
  }

  /** Key-value pairs of OTLP under that field. */
  attributes(field: number): Record<string, string | number> {
    const pairs = this.all(field).map((pair) => {
      const [value] = pair.all(2);
      const text = value!.text(1);
      return [pair.text(1), text === '' ? Number(value!.number(3)) : text] as const;
    });
    return Object.fromEntries(pairs);
  }
}

/** `statuses` are answered in turn, then 200. */
export async function startHttpCollector(statuses: number[] = []): Promise<Collector> {
  const exports: Export[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const plain = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
      exports.push({
        path: request.url ?? '',
        headers: request.headers,
        message: new Fields(plain),
      });
      response.writeHead(statuses.shift() ?? 200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    exports,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const SERVICES = ['trace.v1.TraceService', 'metrics.v1.MetricsService'];

/** A stock gRPC server. `codes` are answered in turn, then OK. */
export async function startGrpcCollector(codes: status[] = []): Promise<Collector> {
  const exports: Export[] = [];
  const server = new Server();
  const identity = (value: Buffer) => value;
  for (const service of SERVICES) {
    const path = `/opentelemetry.proto.collector.${service}/Export`;
    const definition: ServiceDefinition = {
      Export: {
        path,
        requestStream: false,
        responseStream: false,
        requestSerialize: identity,
        requestDeserialize: identity,
        responseSerialize: identity,
        responseDeserialize: identity,
      },
    };
    const handle = (
      call: { request: Buffer; metadata: Metadata },
      done: (error: { code: status; details: string } | null, reply?: Buffer) => void,
    ) => {
      const headers = call.metadata.getMap();
      exports.push({ path, headers, message: new Fields(call.request) });
      const code = codes.shift();
      if (code === undefined) done(null, Buffer.alloc(0));
      else done({ code, details: 'told to fail' });
    };
    server.addService(definition, { Export: handle as unknown as UntypedHandleCall });
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    url: `http://127.0.0.1:${port}`,
    exports,
    close: async () => server.forceShutdown(),
  };
}
