// One attempt of a kubelet's probe or hook: an HTTP GET, a TCP connect or a command. Every attempt
// has its own connection and its own deadline, and its answer is only yes or no.

import { type ClientRequest, request } from 'node:http';
import { request as requestTls } from 'node:https';
import { connect } from 'node:net';
import type { Container, Probe } from '../api/core.ts';
import type { Clock } from '../clock/clock.ts';
import type { PodAddress } from './addresses.ts';
import { actualPort, probeHost } from './pod-ports.ts';
import type { ContainerRuntime } from './runtime.ts';

/** A kubelet's; the sidecar tells health checks from traffic by it (QP-19). */
const PROBE_USER_AGENT = 'kube-probe/1.33';

export interface ProbeDeps {
  clock: Clock;
  runtime: Pick<ContainerRuntime, 'exec'>;
}

/** Resolves false for anything that is not a success within `timeoutMs`; never rejects. */
export function attemptProbe(
  probe: Probe,
  container: Container,
  containerId: string,
  address: PodAddress,
  timeoutMs: number,
  deps: ProbeDeps,
): Promise<boolean> {
  const host = probeHost(container, address);
  if (probe.httpGet !== undefined) {
    const port = actualPort(container, probe.httpGet.port, address);
    const headers: Record<string, string[]> = {};
    for (const { name, value } of probe.httpGet.httpHeaders ?? []) {
      headers[name.toLowerCase()] = [...(headers[name.toLowerCase()] ?? []), value];
    }
    const secure = probe.httpGet.scheme?.toUpperCase() === 'HTTPS';
    const path = probe.httpGet.path ?? '/';
    return httpGet({ host, port, path, headers, secure }, timeoutMs, deps.clock);
  }
  if (probe.exec !== undefined) {
    const argv = probe.exec.command ?? [];
    return deps.runtime.exec(containerId, argv, timeoutMs).then(
      (exitCode) => exitCode === 0,
      () => false,
    );
  }
  const port = probe.tcpSocket?.port ?? probe.grpc?.port;
  return tcpConnect(host, actualPort(container, port, address), timeoutMs, deps.clock);
}

export interface HttpTarget {
  host: string;
  port: number;
  path: string;
  headers?: Record<string, string[]>;
  secure?: boolean;
}

/** True for an answer between 200 and 399 (RC-63). `timeoutMs` null = wait as long as it takes. */
export function httpGet(
  target: HttpTarget,
  timeoutMs: number | null,
  clock: Clock,
): Promise<boolean> {
  return new Promise((resolve) => {
    const send = target.secure === true ? requestTls : request;
    const outgoing: ClientRequest = send({
      host: target.host,
      port: target.port,
      path: target.path.startsWith('/') ? target.path : `/${target.path}`,
      agent: false,
      headers: { 'user-agent': PROBE_USER_AGENT, ...target.headers, connection: 'close' },
      rejectUnauthorized: false,
    });
    const timer = timeoutMs === null ? null : clock.setTimer(timeoutMs, () => outgoing.destroy());
    const finish = (succeeded: boolean) => {
      timer?.cancel();
      resolve(succeeded);
    };
    outgoing.once('response', (response) => {
      response.resume();
      const status = response.statusCode ?? 0;
      response.once('close', () => outgoing.destroy());
      finish(status >= 200 && status < 400);
    });
    outgoing.on('error', () => finish(false));
    outgoing.once('close', () => finish(false));
    outgoing.end();
  });
}

export function tcpConnect(
  host: string,
  port: number,
  timeoutMs: number,
  clock: Clock,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (succeeded: boolean) => {
      timer.cancel();
      socket.destroy();
      resolve(succeeded);
    };
    const timer = clock.setTimer(timeoutMs, () => finish(false));
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}
