// Classification of health-check user agents, QP-20 and the matrix of QP-22.

import { describe, expect, it } from 'vitest';
import { isHealthCheckUserAgent } from './probe-headers.ts';

describe('isHealthCheckUserAgent', () => {
  it.each([
    ['kube-probe/1.33', true],
    ['kube-probe/', true],
    ['kube-probe', false],
    ['Kube-Probe/1', false],
    ['Knative-Activator-Probe', true],
    ['Knative-Activator-Probe/2', true],
    ['Knative-Autoscaling-Probe', true],
    ['knative-activator-probe', false],
    ['Knative-Ingress-Probe', false],
    ['Knative-Queue-Proxy-Probe', false],
    ['curl/8', false],
    ['', false],
  ])('QP-22: user agent "%s" is a health check: %s', (userAgent, expected) => {
    expect(isHealthCheckUserAgent(userAgent)).toBe(expected);
  });
});
