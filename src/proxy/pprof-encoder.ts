// V8 profiles as pprof messages (google/pprof profile.proto, field numbers in the code), which
// `go tool pprof` and every profile store read. V8 gives a tree of call frames; pprof wants samples
// as lists of locations, leaf first. Cold: runs once per requested profile.

import type { HeapProfiler, Profiler } from 'node:inspector';
import { gzipSync } from 'node:zlib';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

type Frame = Profiler.ProfileNode['callFrame'];

/** A node of either tree with what was measured in it. */
interface Node {
  readonly frame: Frame;
  readonly parent: Node | null;
}

/** Samples are counts and nanoseconds. */
export function encodeCpuProfile(profile: Profiler.Profile, startMs: number): Buffer {
  const nodes = new Map<number, Node>();
  const parents = new Map<number, number>();
  for (const { id, children = [] } of profile.nodes) {
    for (const child of children) parents.set(child, id);
  }
  for (const { id, callFrame } of profile.nodes) {
    // V8 lists parents before their children.
    nodes.set(id, { frame: callFrame, parent: nodes.get(parents.get(id) ?? 0) ?? null });
  }
  const builder = new ProfileBuilder([
    ['samples', 'count'],
    ['cpu', 'nanoseconds'],
  ]);
  const { samples = [], timeDeltas = [] } = profile;
  const totals = new Map<Node, [count: number, nanoseconds: number]>();
  samples.forEach((id, index) => {
    const node = nodes.get(id);
    if (node === undefined) return;
    const total = totals.get(node) ?? [0, 0];
    totals.set(node, [total[0] + 1, total[1] + Math.max(0, timeDeltas[index] ?? 0) * 1000]);
  });
  for (const [node, values] of totals) {
    if (node.frame.functionName !== '(idle)') builder.add(node, values);
  }
  return builder.finish(startMs, (profile.endTime - profile.startTime) * 1000);
}

/** Samples are objects and bytes, extrapolated by V8. */
export function encodeHeapProfile(
  profile: HeapProfiler.SamplingHeapProfile,
  startMs: number,
): Buffer {
  const builder = new ProfileBuilder([['inuse_space', 'bytes']]);
  const visit = (node: HeapProfiler.SamplingHeapProfileNode, parent: Node | null): void => {
    const own: Node = { frame: node.callFrame, parent };
    if (node.selfSize > 0) builder.add(own, [node.selfSize]);
    for (const child of node.children) visit(child, own);
  };
  visit(profile.head, null);
  return builder.finish(startMs, 0);
}

class ProfileBuilder {
  readonly #writer = new BinaryWriter();
  readonly #strings = new Map<string, number>([['', 0]]);
  /** Location (= function) numbers by name, file and line. */
  readonly #locations = new Map<string, number>();
  readonly #frames: Frame[] = [];
  readonly #types: readonly (readonly [type: string, unit: string])[];

  constructor(types: readonly (readonly [type: string, unit: string])[]) {
    this.#types = types;
    for (const [type, unit] of types) this.#valueType(1, type, unit);
  }

  add(leaf: Node, values: readonly number[]): void {
    const writer = this.#writer;
    writer.tag(2, WireType.LengthDelimited).fork(); // sample
    writer.tag(1, WireType.LengthDelimited).fork();
    for (let node: Node | null = leaf; node !== null; node = node.parent) {
      if (node.frame.functionName !== '(root)') writer.uint64(this.#location(node.frame));
    }
    writer.join();
    writer.tag(2, WireType.LengthDelimited).fork();
    for (const value of values) writer.int64(Math.round(value));
    writer.join();
    writer.join();
  }

  finish(startMs: number, durationNs: number): Buffer {
    const writer = this.#writer;
    for (const [index, frame] of this.#frames.entries()) this.#describe(frame, index + 1);
    const [type, unit] = this.#types.at(-1)!;
    writer.tag(9, WireType.Varint).int64(BigInt(Math.floor(startMs)) * 1_000_000n);
    if (durationNs > 0) writer.tag(10, WireType.Varint).int64(Math.round(durationNs));
    this.#valueType(11, type, unit);
    writer.tag(12, WireType.Varint).int64(1);
    for (const text of this.#strings.keys()) writer.tag(6, WireType.LengthDelimited).string(text);
    return gzipSync(writer.finish());
  }

  /** One location and one function per call frame, with the same number. */
  #describe(frame: Frame, id: number): void {
    const writer = this.#writer;
    const line = Math.max(0, frame.lineNumber) + 1;
    writer.tag(4, WireType.LengthDelimited).fork(); // location
    writer.tag(1, WireType.Varint).uint64(id);
    writer.tag(4, WireType.LengthDelimited).fork(); // line
    writer.tag(1, WireType.Varint).uint64(id);
    writer.tag(2, WireType.Varint).int64(line);
    writer.join();
    writer.join();
    writer.tag(5, WireType.LengthDelimited).fork(); // function
    writer.tag(1, WireType.Varint).uint64(id);
    writer.tag(2, WireType.Varint).int64(this.#string(frame.functionName || '(anonymous)'));
    writer.tag(4, WireType.Varint).int64(this.#string(frame.url));
    writer.tag(5, WireType.Varint).int64(line);
    writer.join();
  }

  #location(frame: Frame): number {
    const key = `${frame.functionName}\n${frame.url}\n${frame.lineNumber}`;
    const known = this.#locations.get(key);
    if (known !== undefined) return known;
    const id = this.#frames.push(frame);
    this.#locations.set(key, id);
    return id;
  }

  #valueType(field: number, type: string, unit: string): void {
    const writer = this.#writer;
    writer.tag(field, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.Varint).int64(this.#string(type));
    writer.tag(2, WireType.Varint).int64(this.#string(unit));
    writer.join();
  }

  #string(text: string): number {
    const known = this.#strings.get(text);
    if (known !== undefined) return known;
    const index = this.#strings.size;
    this.#strings.set(text, index);
    return index;
  }
}
