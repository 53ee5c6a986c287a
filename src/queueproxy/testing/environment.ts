// The environment Knative injects into a sidecar with everything at its default.

/** Any free ports, loopback only; override as a test needs. */
export const TEST_ENVIRONMENT: Readonly<Record<string, string>> = {
  CONTAINER_CONCURRENCY: '0',
  QUEUE_SERVING_PORT: '0',
  QUEUE_SERVING_TLS_PORT: '8112',
  USER_PORT: '8080',
  REVISION_TIMEOUT_SECONDS: '300',
  SERVING_LOGGING_CONFIG: '',
  SERVING_LOGGING_LEVEL: '',
  SERVING_NAMESPACE: 'default',
  SERVING_SERVICE: 'hello',
  SERVING_CONFIGURATION: 'hello',
  SERVING_REVISION: 'hello-00001',
  SERVING_POD: 'hello-00001-abcde',
  SERVING_POD_IP: '127.0.0.1',
  QUEUE_BIND_ADDRESS: '127.0.0.1',
  QUEUE_ADMIN_PORT: '0',
  QUEUE_STATS_PORT: '0',
  QUEUE_METRICS_PORT: '0',
};
