/** A new password; every other session ends with it. */
import { api, ApiError, call, fieldErrors } from '@purser/api';
import { Button, FormFoot, PasswordInput, Stack, useForm, useSubmit } from '@purser/ui';
import { notifications } from '@purser/ui/pages';
import { passwordProblem } from './rules';

export function PasswordForm({ email }: { email: string }) {
  const form = useForm({
    initialValues: { current_password: '', new_password: '' },
    validate: { current_password: (value) => (value === '' ? 'Enter your current password' : null), new_password: passwordProblem },
  });
  const { props, error, isPending } = useSubmit(form, {
    send: (body) => call(api.PUT('/api/v1/auth/password', { body })),
    done: () => {
      form.reset();
      notifications.show({ title: 'Password changed', message: 'Your other sessions have ended.', color: 'harbor' });
    },
    wordsOf,
  });
  return (
    <form {...props}>
      <Stack className="fields">
        <input type="email" autoComplete="username" value={email} readOnly hidden />
        <PasswordInput label="Current password" autoComplete="current-password" {...form.getInputProps('current_password')} />
        <PasswordInput label="New password" autoComplete="new-password" {...form.getInputProps('new_password')} />
        <FormFoot hint="Your other sessions end: you sign in there with the new password." error={error}><Button type="submit" loading={isPending}>Change password</Button></FormFoot>
      </Stack>
    </form>
  );
}

function wordsOf(error: unknown): Record<string, string> {
  const found = fieldErrors(error);
  const wrong = error instanceof ApiError && error.status === 403 && Object.keys(found).length === 0;
  return wrong ? { current_password: 'This is not your current password' } : found;
}
