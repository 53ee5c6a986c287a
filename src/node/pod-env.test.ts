// The environment of containers and what the platform changes in it.

import { describe, expect, it } from 'vitest';
import type { Container, Pod } from '../api/core.ts';
import { ContainerConfigError, expand, resolveEnv } from './pod-env.ts';
import { addressRequest, platformVariables, rewriteProbes } from './pod-ports.ts';

const address = { ip: '127.20.0.1', ports: { 8080: 20_001, 8012: 8012, 8022: 8022 } };
const noData = { configMap: () => undefined, secret: () => undefined };

function podWith(...containers: Container[]): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'ns', uid: 'u1', labels: { app: 'x' } },
    spec: { containers },
  };
}

describe('expand', () => {
  it.each([
    ['--port=$(PORT)', '--port=1234'],
    ['$$(PORT)', '$(PORT)'],
    ['$(UNKNOWN)', '$(UNKNOWN)'],
    ['$PORT', '$PORT'],
    ['a$(PORT)b$(PORT)', 'a1234b1234'],
  ])('%s becomes %s', (text, expected) => {
    expect(expand(text, { PORT: '1234' })).toBe(expected);
  });
});

describe('resolveEnv', () => {
  it('RC-4: envFrom first, env over it, references to earlier entries', () => {
    const container: Container = {
      name: 'c',
      envFrom: [{ prefix: 'X_', configMapRef: { name: 'm' } }],
      env: [
        { name: 'A', value: '$(X_K)-$(PORT)' },
        { name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
        { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        { name: 'L', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
      ],
    };
    const data = { configMap: () => ({ K: 'v' }), secret: () => ({ k: 'hidden' }) };
    expect(resolveEnv(container, podWith(container), address, data, { PORT: '20001' })).toEqual({
      X_K: 'v',
      A: 'v-20001',
      B: 'hidden',
      POD: 'p',
      IP: '127.20.0.1',
      L: 'x',
      PORT: '20001',
    });
  });

  it.each([
    ['missing ConfigMap', { configMapKeyRef: { name: 'm', key: 'k' } }, 'configmap "m" not found'],
    ['missing Secret', { secretKeyRef: { name: 's', key: 'k' } }, 'secret "s" not found'],
  ])('names a %s', (_name, valueFrom, message) => {
    const container: Container = { name: 'c', env: [{ name: 'A', valueFrom }] };
    const resolve = () => resolveEnv(container, podWith(container), address, noData, {});
    expect(resolve).toThrow(ContainerConfigError);
    expect(resolve).toThrow(message);
  });

  it('leaves out an optional value that is missing', () => {
    const reference = { configMapKeyRef: { name: 'm', key: 'k', optional: true } };
    const container: Container = { name: 'c', env: [{ name: 'A', valueFrom: reference }] };
    expect(resolveEnv(container, podWith(container), address, noData, {})).toEqual({});
  });
});

describe('platformVariables', () => {
  const app: Container = {
    name: 'user-container',
    ports: [{ name: 'user-port', containerPort: 8080 }],
    env: [{ name: 'K_SERVICE', value: 'hello' }],
  };
  const probe = '{"tcpSocket":{"port":8080,"host":"127.0.0.1"},"successThreshold":1}';
  const sidecar: Container = {
    name: 'queue-proxy',
    ports: [{ name: 'queue-port', containerPort: 8012 }],
    env: [
      { name: 'QUEUE_SERVING_PORT', value: '8012' },
      { name: 'USER_PORT', value: '8080' },
      { name: 'SERVING_READINESS_PROBE', value: probe },
    ],
  };
  const pod = podWith(app, sidecar);

  it('RC-1: gives the app its real port and a way to its neighbours', () => {
    expect(platformVariables(pod, app, address, { gatewayUrl: 'http://127.0.0.1:8081' })).toEqual({
      PORT: '20001',
      K_GATEWAY: 'http://127.0.0.1:8081',
      K_SERVICE: 'hello',
    });
  });

  it('tells the sidecar where to listen and where the app is', () => {
    expect(platformVariables(pod, sidecar, address, { gatewayUrl: null })).toMatchObject({
      QUEUE_BIND_ADDRESS: '127.20.0.1',
      QUEUE_SERVING_PORT: '8012',
      USER_PORT: '20001',
      SERVING_READINESS_PROBE: probe.replace('8080', '20001'),
    });
  });

  it('asks for the declared sidecar ports and the undeclared admin port (CP-210)', () => {
    expect(addressRequest(pod)).toEqual({ standardPorts: [8012, 8022], userPort: 8080 });
  });

  it.each([
    ['no probe', '', ''],
    ['damaged JSON, for the sidecar to refuse', '{"tcp', '{"tcp'],
    [
      'an array of probes (CP-213)',
      '[{"httpGet":{"port":8080}},null]',
      '[{"httpGet":{"port":20001}},null]',
    ],
  ])('rewrites %s', (_name, text, expected) => {
    expect(rewriteProbes(text, address)).toBe(expected);
  });
});
