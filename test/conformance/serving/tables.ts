// All tables of the folder, for the test files that run them and for docs/conformance.md.

import type { ServingTable } from './row.ts';
import { serviceRows } from './service-rows.ts';

/** Run by objects.test.ts. */
export const OBJECT_TABLES: readonly ServingTable[] = [{ area: 'Services', rows: serviceRows }];

/** Run by runtime-contract.test.ts. */
export const RUNTIME_TABLES: readonly ServingTable[] = [];

export const TABLES: readonly ServingTable[] = [...OBJECT_TABLES, ...RUNTIME_TABLES];
