// One request inside the gateway: where it goes and how often that was tried. Hot: one per request,
// one shape, every field set here.

import type { TimerHandle } from '../clock/clock.ts';
import type { HeaderEdits } from '../proxy/types.ts';
import type { Address, Backend } from './backends.ts';

export class GatewayRequest {
  readonly backend: Backend;
  readonly edits: HeaderEdits;
  /** Where it is now; null while it waits for another try. */
  address: Address | null = null;
  attempts = 0;
  /** Pauses taken because no other address was there. */
  pauses = 0;
  retryTimer: TimerHandle | null = null;

  constructor(backend: Backend, edits: HeaderEdits) {
    this.backend = backend;
    this.edits = edits;
  }

  /** Stops counting at the address, so that others see it less busy. */
  leaveAddress(): void {
    if (this.address === null) return;
    this.address.inFlight -= 1;
    this.address = null;
  }
}
