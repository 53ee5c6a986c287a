// One OTLP destination with encoder and transport, all of it loaded on demand: nothing here is
// imported before something is to be sent. Cold.

import type { Clock } from '../clock/clock.ts';
import type { SendResult } from './batch-queue.ts';
import type { OtlpEndpoint } from './otlp-endpoint.ts';

export type OtlpEncoder = typeof import('./otlp-encoder.ts');

export interface OtlpClient {
  /** `encode` makes the message. Never rejects. */
  send(encode: (encoder: OtlpEncoder) => Uint8Array): Promise<SendResult>;
  close(): void;
}

/** Never rejects: a transport that cannot be made refuses everything, with the reason. */
export async function openOtlpClient(endpoint: OtlpEndpoint, clock: Clock): Promise<OtlpClient> {
  try {
    const encoder = await import('./otlp-encoder.ts');
    const transport =
      endpoint.protocol === 'grpc'
        ? (await import('./otlp-grpc.ts')).createGrpcTransport(endpoint, clock)
        : (await import('./otlp-http.ts')).createHttpTransport(endpoint);
    return {
      send: async (encode) => {
        try {
          return await transport.send(encode(encoder));
        } catch (error) {
          // A header of OTEL_EXPORTER_OTLP_HEADERS no protocol can send, above all.
          return { kind: 'refused', reason: (error as Error).message };
        }
      },
      close: () => transport.close(),
    };
  } catch (error) {
    const reason = (error as Error).message;
    return {
      send: () => Promise.resolve({ kind: 'refused', reason }),
      close: () => undefined,
    };
  }
}
