// What the throttler should do, in the plainest words: lists of requests and counters, no gate, no
// lanes, no deferred work. Written from ACT-46 to ACT-74 and decision 0008 alone; it shares no code
// with what it judges.

export interface ModelRequest {
  /** Pods it has been sent to, oldest first; `*` = any of the assigned ones. */
  readonly sentTo: string[];
  /** Where it runs; null = waiting or over. */
  slot: Slot | null;
  /** What the client was told; 0 = nothing yet. */
  status: number;
}

/** A destination that counts what runs on it. */
export interface Slot {
  readonly dest: string;
  running: number;
}

export const ANY = '*';

export class ThrottlerModel {
  queue: ModelRequest[] = [];
  displaced: ModelRequest[] = [];
  running: ModelRequest[] = [];
  readonly #limit: number;
  readonly #queueLimit: number;
  #pods = new Map<string, Slot>();
  /** Listed, not usable, with requests on them. */
  #resting = new Map<string, Slot>();
  #clusterIp: Slot | null = null;
  #backends = 0;
  #activators = 0;
  #index = -1;
  #cursor = 0;
  /** A request whose pod failed and that has no new one yet keeps its admission. */
  #between = 0;

  constructor(limit: number, queueLimit: number) {
    this.#limit = limit;
    this.#queueLimit = queueLimit;
  }

  get pods(): string[] {
    return [...this.#pods.keys()];
  }

  /** ACT-66, ACT-74: the pods whose owner is this activator, or all. */
  get assigned(): Slot[] {
    const pods = [...this.#pods.values()].sort((a, b) => (a.dest < b.dest ? -1 : 1));
    if (this.#limit === 0 || this.#index < 0) return pods;
    return pods.filter((_pod, position) => this.#isOwner(position, pods.length));
  }

  #isOwner(position: number, pods: number): boolean {
    const [activators, index] = [this.#activators, this.#index];
    if (activators > pods) return position === index % pods;
    const each = Math.floor(pods / activators);
    const shared = each * activators;
    const owner = position < shared ? Math.floor(position / each) : position - shared;
    return owner === index;
  }

  /** ACT-67. */
  get capacity(): number {
    if (this.#backends === 0) return 0;
    if (this.#limit === 0) return Number.POSITIVE_INFINITY;
    if (this.#clusterIp === null) return this.#limit * this.assigned.length;
    const share = Math.floor((this.#limit * this.#backends) / Math.max(1, this.#activators));
    return Math.max(1, share);
  }

  arrive(request: ModelRequest): void {
    if (this.queue.length === 0 && this.#hasRoom) this.#start(request);
    else if (this.queue.length < this.#queueLimit) this.queue.push(request);
    else request.status = 503;
  }

  /** The request is over, wherever it was. */
  end(request: ModelRequest, status: number): void {
    request.status = status;
    if (request.slot !== null) request.slot.running -= 1;
    request.slot = null;
    this.queue = this.queue.filter((other) => other !== request);
    this.displaced = this.displaced.filter((other) => other !== request);
    this.running = this.running.filter((other) => other !== request);
    this.#serve();
  }

  /** Its pod took nothing: the pod is out (`suspect` says how), the request goes elsewhere. */
  retry(request: ModelRequest, suspect: () => void): void {
    const { slot } = request;
    if (slot !== null) slot.running -= 1;
    request.slot = null;
    this.running = this.running.filter((other) => other !== request);
    this.#between += 1;
    if (slot !== null && this.#pods.get(slot.dest) === slot) suspect();
    this.#between -= 1;
    this.#start(request);
  }

  /** Chance sent it to `dest`; false when that was not to be had. */
  bind(request: ModelRequest, dest: string): boolean {
    const slot = this.#pods.get(dest);
    if (slot === undefined) return false;
    slot.running += 1;
    request.slot = slot;
    request.sentTo[request.sentTo.length - 1] = dest;
    return true;
  }

  setPods(dests: readonly string[], unproven: readonly string[]): void {
    const known = new Map([...this.#resting, ...this.#pods]);
    this.#clusterIp = null;
    this.#pods = new Map(
      dests.map((dest) => [dest, known.get(dest) ?? { dest, running: 0 }] as const),
    );
    const busy = unproven.filter((dest) => (known.get(dest)?.running ?? 0) > 0);
    this.#resting = new Map(busy.map((dest) => [dest, known.get(dest) as Slot] as const));
    this.#backends = dests.length;
    this.#serve();
  }

  setClusterIp(dest: string, backends: number): void {
    this.#pods.clear();
    this.#resting.clear();
    this.#clusterIp = { dest, running: 0 };
    this.#backends = backends;
    this.#serve();
  }

  setPlace(activators: number, index: number): void {
    this.#activators = activators;
    this.#index = index;
    this.#serve();
  }

  get #hasRoom(): boolean {
    return this.running.length + this.displaced.length + this.#between < this.capacity;
  }

  /** Displaced requests first, then the queue, each in order. */
  #serve(): void {
    for (let next = this.displaced[0]; next !== undefined; next = this.displaced[0]) {
      const slot = this.#choose();
      if (slot === null) break;
      this.displaced.shift();
      this.#run(next, slot);
    }
    while (this.queue.length > 0 && this.#hasRoom) this.#start(this.queue.shift() as ModelRequest);
  }

  #start(request: ModelRequest): void {
    const slot = this.#choose();
    if (slot === null) this.displaced.push(request);
    else this.#run(request, slot);
  }

  #run(request: ModelRequest, slot: Slot): void {
    slot.running += 1;
    request.slot = slot;
    request.sentTo.push(slot.dest);
    this.running.push(request);
  }

  /** ACT-53 to ACT-56. Chance is not predicted: then it is ANY of the assigned pods. */
  #choose(): Slot | null {
    if (this.#clusterIp !== null) return this.#backends > 0 ? this.#clusterIp : null;
    const pods = this.assigned;
    if (this.#limit === 0) return pods.length > 0 ? { dest: ANY, running: 0 } : null;
    if (this.#limit <= 3) return pods.find((pod) => this.#isFree(pod)) ?? null;
    if (this.#cursor >= pods.length) this.#cursor = 0;
    for (const offset of pods.keys()) {
      const position = (this.#cursor + offset) % pods.length;
      const pod = pods[position] as Slot;
      if (!this.#isFree(pod)) continue;
      this.#cursor = position + 1;
      return pod;
    }
    return null;
  }

  #isFree(pod: Slot): boolean {
    return pod.running < this.#limit;
  }
}
