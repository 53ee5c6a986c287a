// The runtime contract: what a container is given, how it is asked, timed, scaled and ended.

import { FAST_AUTOSCALER } from '../../support/pilotlight.ts';
import { runTables } from './run.ts';
import { RUNTIME_TABLES } from './tables.ts';

const REQUEST_LOG = {
  'logging.enable-request-log': 'true',
  'logging.request-log-template':
    'log of {{.Revision.Service}} {{.Request.RequestURI}} {{.Response.Code}}',
};

runTables(RUNTIME_TABLES, {
  autoscaler: FAST_AUTOSCALER,
  // From the start: a change rolls every pod there is.
  configMaps: { 'config-observability': REQUEST_LOG },
});
