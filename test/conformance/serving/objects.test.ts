// Services and what becomes of them: API, routes, rollouts, garbage collection, domain mapping.

import { runTables } from './run.ts';
import { OBJECT_TABLES } from './tables.ts';

runTables(OBJECT_TABLES);
