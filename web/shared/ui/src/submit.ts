/**
 * How a form is sent: once at a time. Where it is refused the words stand at the fields that they are about, and the first of these has the
 * focus; what is about none of them is left to be said below the button.
 */
import type { UseFormReturnType } from '@mantine/form';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { fieldErrors } from '@purser/api';
import { useFirstWrong } from './first-wrong';

interface Submit<V, R> {
  send: (values: V) => Promise<R>;
  done?: (result: R) => unknown;
  /** The words of a refusal by the names of fields, where they are other than the server's own. */
  wordsOf?: (error: unknown) => Record<string, string>;
}

/** Gives what `<form>` takes, whether it is on its way, and the error that is about no field. */
export function useSubmit<V extends object, R>(form: UseFormReturnType<V>, { send, done, wordsOf = fieldErrors }: Submit<V, R>) {
  const [placed, setPlaced] = useState(false);
  const task = useMutation({
    mutationFn: send,
    onSuccess: done,
    onError: (error) => setPlaced(placeWords(form, wordsOf(error))),
  });
  const [ref, refused] = useFirstWrong<HTMLFormElement>(task.error);
  const onSubmit = form.onSubmit((values) => { if (!task.isPending) task.mutate(values); }, refused);
  return { props: { ref, onSubmit, noValidate: true }, isPending: task.isPending, error: placed ? null : task.error };
}

interface FormLike {
  values: object;
  setErrors: (errors: Record<string, string>) => void;
}

/** True if all there is to say has found its field. */
export function placeWords(form: FormLike, words: Record<string, string>): boolean {
  const found = Object.entries(words);
  const known = found.filter(([path]) => path.split('.')[0]! in form.values);
  form.setErrors(Object.fromEntries(known));
  return found.length > 0 && known.length === found.length;
}
