// The two Services of a ServerlessService (CP-481, CP-482): the private one lists the Revision's
// own pods, the public one is what gateways send to. Pure.

import type { CoreService, LabelMap, ServicePort } from '../../../api/core.ts';
import {
  SERVICE_TYPE_LABEL,
  SERVICE_TYPE_PRIVATE,
  SERVICE_TYPE_PUBLIC,
  SKS_LABEL,
} from '../../../api/labels.ts';
import { privateServiceName } from '../../../api/naming.ts';
import type { ServerlessService } from '../../../api/networking.ts';
import { controllerReference, type ObjectMeta } from '../../../api/objects.ts';
import { mapMembers } from '../../children.ts';

const H2C_APP_PROTOCOL = 'kubernetes.io/h2c';
const HTTP1_TARGET = 8012;
const H2C_TARGET = 8013;

export type ServiceType = typeof SERVICE_TYPE_PRIVATE | typeof SERVICE_TYPE_PUBLIC;

/** Name of the port requests go to; the same in Services and Endpoints. */
export function requestPortName({ spec }: ServerlessService): 'http' | 'http2' {
  return spec.protocolType === 'h2c' ? 'http2' : 'http';
}

/** Of a Service or Endpoints object that belongs to the SKS. */
export function childMetadata(sks: ServerlessService, name: string, type: ServiceType): ObjectMeta {
  const { metadata } = sks;
  return {
    name,
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
    ...mapMembers({
      labels: {
        ...metadata.labels,
        [SKS_LABEL]: metadata.name,
        [SERVICE_TYPE_LABEL]: type,
      },
      annotations: metadata.annotations ?? {},
    }),
    ownerReferences: [controllerReference(sks)],
  };
}

/** CP-481. */
export function makePrivateService(sks: ServerlessService, selector: LabelMap): CoreService {
  const name = privateServiceName(sks.metadata.name);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: childMetadata(sks, name, SERVICE_TYPE_PRIVATE),
    spec: { ports: privatePorts(sks), selector },
  };
}

/** CP-482. */
export function makePublicService(sks: ServerlessService): CoreService {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: childMetadata(sks, sks.metadata.name, SERVICE_TYPE_PUBLIC),
    spec: { ports: publicPorts(sks) },
  };
}

export function privatePorts(sks: ServerlessService): ServicePort[] {
  const name = requestPortName(sks);
  const target = targetPort(sks);
  return [
    requestPort(sks, 80),
    tcp('https', 443, 8112),
    tcp('http-autometric', 9090, 'http-autometric'),
    tcp('http-usermetric', 9091, 'http-usermetric'),
    tcp(`${name}-istio`, target, target),
  ];
}

export function publicPorts(sks: ServerlessService): ServicePort[] {
  const isH2c = sks.spec.protocolType === 'h2c';
  return [requestPort(sks, isH2c ? 81 : 80), tcp('https', 443, 8112)];
}

function targetPort({ spec }: ServerlessService): number {
  return spec.protocolType === 'h2c' ? H2C_TARGET : HTTP1_TARGET;
}

function requestPort(sks: ServerlessService, port: number): ServicePort {
  const isH2c = sks.spec.protocolType === 'h2c';
  return {
    ...tcp(requestPortName(sks), port, targetPort(sks)),
    ...(isH2c ? { appProtocol: H2C_APP_PROTOCOL } : {}),
  };
}

function tcp(name: string, port: number, target: number | string): ServicePort {
  return { name, protocol: 'TCP', port, targetPort: target };
}
