/** Puts the server's words at the fields they are about. */
import { fieldErrors } from '@purser/api';

interface FormLike {
  values: object;
  setErrors: (errors: Record<string, string>) => void;
}

/** True if every complaint has found its field; else something remains to be said beside the form. */
export function applyProblem(form: FormLike, error: unknown, rename: Record<string, string> = {}): boolean {
  const found = fieldErrors(error);
  const known: Record<string, string> = {};
  let all = Object.keys(found).length > 0;
  for (const [path, text] of Object.entries(found)) {
    const name = rename[path] ?? path;
    if (name.split('.')[0]! in form.values) known[name] = text;
    else all = false;
  }
  form.setErrors(known);
  return all;
}
