// Children of a Service against golden objects of the reference.

import { describe, expect, it } from 'vitest';
import type { Configuration, Route } from '../../../api/serving.ts';
import {
  bare,
  golden,
  goldenConfiguration,
  goldenRoute,
  goldenService,
} from '../../testing/golden.ts';
import { makeConfiguration } from './configuration.ts';

describe('children of a Service', () => {
  it('CP-601: Configuration', () => {
    const expected = golden(601) as Configuration;
    expected.spec.template = goldenService().spec.template;
    const { generation, ...metadata } = goldenConfiguration().metadata;
    expect({ ...bare(goldenConfiguration()), metadata }).toEqual(expected);
  });

  it('CP-602: Route', () => {
    expect(bare(goldenRoute())).toEqual(golden(602) as Route);
  });

  it('CP-121: routes that already point at the Configuration stay listed', () => {
    const live = goldenConfiguration();
    live.metadata.annotations = { 'serving.knative.dev/routes': 'z,a' };
    expect(
      makeConfiguration(goldenService(), live).metadata.annotations?.['serving.knative.dev/routes'],
    ).toBe('a,hello,z');
  });
});
