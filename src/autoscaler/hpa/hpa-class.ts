// Runs the reconciler of class HPA: its queue, and which events bring a PodAutoscaler into it
// (AS-165). Beside the KPA in one process; neither touches what the other owns.

import type { Metric, PodAutoscaler } from '../../api/autoscaling.ts';
import { readClass } from '../../api/autoscaling-annotations.ts';
import type { HorizontalPodAutoscaler } from '../../api/horizontal-pod-autoscaler.ts';
import * as kinds from '../../api/kinds.ts';
import { HPA_CLASS } from '../../api/labels.ts';
import type { ServerlessService } from '../../api/networking.ts';
import { controllerOf, joinKey, type KubeObject, objectKey } from '../../api/objects.ts';
import type { Clock } from '../../clock/clock.ts';
import { Controller } from '../../kube/controller.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { InformerFactory, KubeClient, Lister } from '../../kube/types.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { ChildWriter } from '../child-writer.ts';
import type { ConfigWatch } from '../config-watch.ts';
import { HpaClassReconciler } from './reconciler.ts';

export interface HpaClassOptions {
  client: KubeClient;
  informers: InformerFactory;
  clock: Clock;
  logger: Logger;
  random: () => number;
  recorder: EventRecorder;
  config: ConfigWatch;
  sks: Lister<ServerlessService>;
  metrics: Lister<Metric>;
}

export class HpaClass {
  readonly #controller: Controller;
  readonly #unwatch: (() => void)[];

  constructor(options: HpaClassOptions) {
    const { informers } = options;
    const pas = informers.informer<PodAutoscaler>(kinds.PodAutoscaler);
    const hpas = informers.informer<HorizontalPodAutoscaler>(kinds.HorizontalPodAutoscaler);
    const reconciler = new HpaClassReconciler({
      ...options,
      lister: pas.lister,
      hpas: hpas.lister,
      children: new ChildWriter(options),
    });
    this.#controller = new Controller({ ...options, name: 'podautoscaler-hpa', reconciler });
    const owned = (current: KubeObject | null, previous: KubeObject | null): void => {
      const child = current ?? previous;
      if (child !== null) this.#enqueueOwner(child);
    };
    this.#unwatch = [
      pas.onChange((current, previous) => {
        const pa = current ?? previous;
        if (pa !== null) this.enqueue(objectKey(pa));
      }),
      hpas.onChange(owned),
      informers.informer(kinds.ServerlessService).onChange(owned),
    ];
  }

  enqueue(key: string): void {
    this.#controller.enqueue(key);
  }

  start(): void {
    this.#controller.start();
  }

  async stop(): Promise<void> {
    for (const unwatch of this.#unwatch) unwatch();
    await this.#controller.stop();
  }

  #enqueueOwner(child: KubeObject): void {
    if (readClass(child.metadata.annotations) !== HPA_CLASS) return;
    const owner = controllerOf(child);
    if (owner?.kind !== kinds.PodAutoscaler.kind) return;
    this.enqueue(joinKey(child.metadata.namespace, owner.name));
  }
}
