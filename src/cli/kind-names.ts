// From what people type (`ksvc`, `revisions`, `pods`, `services.serving.knative.dev`) to kinds. As
// with kubectl, a plain `services` means core Services (KN-261): built-in kinds win where names
// meet.

import { ALL_KINDS, type Kind, resourceName } from '../api/kinds.ts';
import { CommandError, EXIT_USAGE } from './errors.ts';

/** One kind per name; a category such as `all` or `knative` stands for all of its kinds. */
export function findKinds(text: string): Kind[] {
  return text.split(',').flatMap((name) => kindsNamed(name.trim().toLowerCase()));
}

function kindsNamed(name: string): Kind[] {
  const matches = ALL_KINDS.filter(
    (kind) =>
      kind.plural === name ||
      kind.singular === name ||
      kind.shortNames.includes(name) ||
      resourceName(kind) === name ||
      `${kind.singular}.${kind.group}` === name,
  );
  const chosen = matches.find((kind) => !kind.custom) ?? matches[0];
  if (chosen !== undefined) return [chosen];
  const category = ALL_KINDS.filter((kind) => kind.categories.includes(name));
  if (category.length > 0) return category;
  throw new CommandError(`there is no kind "${name}"`, EXIT_USAGE);
}
