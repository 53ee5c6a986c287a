// The question an API server asks before it stores an object, and the answer. The same objects pass
// in-process (standalone) and over HTTPS (admission.k8s.io/v1 on Kubernetes), so the webhook's code
// does not know which.

import type { KubeObject } from './objects.ts';

export interface AdmissionRequest {
  operation: 'CREATE' | 'UPDATE' | 'DELETE';
  /** `''` on the main resource, `status`, `scale`, … otherwise. */
  subresource: string;
  dryRun: boolean;
  userName: string;
  object: KubeObject;
  oldObject: KubeObject | null;
}

export type AdmissionResponse =
  | { allowed: true; object: KubeObject; warnings: readonly string[] }
  | {
      allowed: false;
      code: number;
      reason: string;
      message: string;
      /** A refusal may warn too (WH-17). */
      warnings?: readonly string[];
    };

/** Mutates first, validates then (KN-178). Never changes the request's objects in place. */
export interface AdmissionPlugin {
  admit(request: AdmissionRequest): AdmissionResponse | Promise<AdmissionResponse>;
}
