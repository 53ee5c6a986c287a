// What the root shows: wake timelines, child lines in three formats, ready lines, port holders.

import { describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { LineSplitter } from './line-splitter.ts';
import type { ServiceReport } from './messages.ts';
import { listeningInodes } from './ports.ts';
import { describeService } from './ready-text.ts';
import { ServiceAnnouncer } from './service-announcer.ts';
import { orderedReports } from './service-watch.ts';
import { type LogFormat, Terminal } from './terminal.ts';
import { formatTimeline, WakeCollector } from './wake-timeline.ts';

describe('WakeCollector', () => {
  it('puts the phases of all roles into one timeline, in their order', () => {
    const wakes = new WakeCollector();
    const phases: [string, number][] = [
      ['queued', 1000],
      ['decided', 1003.25],
      ['reported', 1000.4],
      ['scaled', 1005],
      ['started', 1009],
      ['started', 1010],
      ['probed', 1040],
    ];
    for (const [phase, atMs] of phases) expect(wakes.add('ns/r', phase, atMs)).toBeNull();
    const timeline = wakes.add('ns/r', 'first byte', 1042.52);
    expect(timeline).not.toBeNull();
    expect(formatTimeline(timeline!)).toBe(
      'woke ns/r in 42.5 ms: queued 0, reported 0.4, decided 3.3, scaled 5, started 9, probed 40, first byte 42.5',
    );
  });

  it('keeps what another process decided when its line is read before that of queued', () => {
    const wakes = new WakeCollector();
    // Of an earlier wake and of a second pod, both over.
    wakes.add('ns/r', 'decided', 10);
    wakes.add('ns/r', 'started', 20);
    wakes.add('ns/r', 'decided', 100.6);
    wakes.add('ns/r', 'scaled', 102);
    wakes.add('ns/r', 'queued', 100);
    wakes.add('ns/r', 'reported', 100.1);
    expect(wakes.add('ns/r', 'first byte', 140)?.phases).toEqual([
      { phase: 'queued', atMs: 0 },
      { phase: 'reported', atMs: 0.1 },
      { phase: 'decided', atMs: 0.6 },
      { phase: 'scaled', atMs: 2 },
      { phase: 'first byte', atMs: 40 },
    ]);
  });

  it('ignores phases without a wake and begins anew at each queued', () => {
    const wakes = new WakeCollector();
    expect(wakes.add('ns/r', 'started', 5)).toBeNull();
    expect(wakes.add('ns/r', 'first byte', 6)).toBeNull();
    wakes.add('ns/r', 'queued', 10);
    wakes.add('ns/r', 'probed', 11);
    wakes.add('ns/r', 'queued', 100);
    expect(wakes.add('ns/r', 'first byte', 101)?.phases).toEqual([
      { phase: 'queued', atMs: 0 },
      { phase: 'first byte', atMs: 1 },
    ]);
  });
});

function terminal(format: LogFormat): { terminal: Terminal; lines: () => string } {
  let written = '';
  const output = {
    write: (text: string) => {
      written += text;
    },
  };
  return {
    terminal: new Terminal({ format, output, clock: new FakeClock(0) }),
    lines: () => written,
  };
}

describe('Terminal', () => {
  const warning =
    '{"severity":"WARN","logger":"node","timestamp":"t","message":"no luck","pod":"p"}';

  it('shows people warnings and errors of the roles, not their notes', () => {
    const { terminal: shown, lines } = terminal('plain');
    shown.childLine('control', warning);
    shown.childLine('control', warning.replace('WARN', 'INFO'));
    shown.childLine('control', 'Error: a stack trace');
    expect(lines()).toBe('warn: node: no luck pod=p\ncontrol: Error: a stack trace\n');
  });

  it('passes JSON lines through and wraps everything else', () => {
    const { terminal: shown, lines } = terminal('json');
    shown.childLine('control', warning);
    shown.childLine('control', 'Error');
    shown.say('INFO', 'ready', { port: 1 }, 'ready at 1');
    shown.block(['for people']);
    expect(lines().trim().split('\n')).toEqual([
      warning,
      '{"severity":"INFO","logger":"control","message":"Error"}',
      '{"severity":"INFO","logger":"up","timestamp":"1970-01-01T00:00:00.000Z","message":"ready","port":1}',
    ]);
  });
});

describe('lines for people', () => {
  const http: ServiceReport = {
    service: 'default/hello',
    isReady: true,
    reason: '',
    message: '',
    url: 'http://hello.default.localhost',
    caFile: null,
  };
  const https = { ...http, url: 'https://hello.default.localhost', caFile: '/run/ca.crt' };
  const PORTS = { gatewayPort: 8080, httpsPort: 8444 };
  const linesFor = (report: ServiceReport): string[] =>
    describeService(report, PORTS).map((line) => line.trim());

  it('name the service by its host and by header', () => {
    expect(linesFor(http)).toEqual([
      'curl http://hello.default.localhost:8080/',
      "curl -H 'Host: hello.default.localhost' http://127.0.0.1:8080/",
    ]);
  });

  it('name whom to trust and the HTTPS port where the URL is https', () => {
    expect(linesFor(https)).toEqual([
      'curl --cacert /run/ca.crt https://hello.default.localhost:8444/',
      'curl --cacert /run/ca.crt --resolve hello.default.localhost:8444:127.0.0.1 ' +
        'https://hello.default.localhost:8444/',
    ]);
    const elsewhere = { ...https, url: 'https://hello.example.com', caFile: "/my run's/ca.crt" };
    expect(linesFor(elsewhere)).toEqual([
      "curl --cacert '/my run'\\''s/ca.crt' --resolve hello.example.com:8444:127.0.0.1 " +
        'https://hello.example.com:8444/',
    ]);
    expect(linesFor({ ...https, caFile: null })[0]).toBe(
      'curl https://hello.default.localhost:8444/',
    );
  });

  it('are printed once the gateway serves, and again only when something changed', () => {
    const { terminal: shown, lines } = terminal('plain');
    const announcer = new ServiceAnnouncer(shown, 8080);
    announcer.handle({ ...https, isReady: null, reason: 'Deploying' });
    expect(announcer.undecided).toEqual(['default/hello Deploying']);
    announcer.handle(https);
    expect([lines(), announcer.undecided]).toEqual(['', []]);
    announcer.onGatewayUp(8444);
    const said = lines();
    expect(said).toContain('service default/hello is ready at https://hello.default.localhost\n');
    expect(said).toContain('curl --cacert /run/ca.crt https://hello.default.localhost:8444/\n');
    announcer.onGatewayDown();
    announcer.onGatewayUp(8444);
    announcer.handle(https);
    expect(lines()).toBe(said);
  });

  it('are sent in order, an https one with the file of whom to trust', async () => {
    const sent: (string | null)[] = [];
    const report = orderedReports(
      ({ url, caFile }) => sent.push(`${url} ${caFile}`),
      async () => '/data/ca.crt',
    );
    void report({ ...https, caFile: null });
    await report(http);
    expect(sent).toEqual([`${https.url} /data/ca.crt`, `${http.url} null`]);
  });
});

describe('LineSplitter', () => {
  it('joins lines cut between chunks and bounds endless ones', () => {
    const lines: string[] = [];
    const splitter = new LineSplitter((line) => lines.push(line));
    splitter.write(Buffer.from('a\nb'));
    splitter.write(Buffer.from('c\n'));
    splitter.write(Buffer.from('x'.repeat(70_000)));
    splitter.end();
    expect(lines.map((line) => line.length)).toEqual([1, 2, 65_536, 4464]);
  });
});

describe('listeningInodes', () => {
  it('finds listeners of a port in the kernel table', () => {
    const table = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 4711 1',
      '   1: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000 0 4712 1',
      '   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 4713 1',
    ].join('\n');
    expect(listeningInodes(table, 8080)).toEqual(['4711']);
  });
});
