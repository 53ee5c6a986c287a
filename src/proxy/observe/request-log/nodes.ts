// The parts a request log template consists of after parsing: statements that produce text, and the
// expressions inside them. Names are Go's (text/template/parse). Cold.

export type Statement =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipeline: Pipeline }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipeline: Pipeline;
      readonly body: readonly Statement[];
      readonly otherwise: readonly Statement[];
    }
  | { readonly kind: 'break' | 'continue' };

export interface Pipeline {
  readonly kind: 'pipeline';
  /** Variables that take the value, with their dollar; two only for `range $i, $e := …`. */
  readonly variables: readonly string[];
  /** `=` instead of `:=`. */
  readonly isAssignment: boolean;
  /** Each is one command, its first element the function, method or value. */
  readonly commands: readonly (readonly Expression[])[];
}

export type Expression =
  | Pipeline
  | { readonly kind: 'dot' }
  | { readonly kind: 'nil' }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'integer'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'variable'; readonly name: string }
  /** `.A.B` of `of`. */
  | { readonly kind: 'fields'; readonly of: Expression; readonly names: readonly string[] };
