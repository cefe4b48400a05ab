/** A new password; every other session ends with it. */
import { api, ApiError, call } from '@purser/api';
import { applyProblem, Button, Group, InlineError, PasswordInput, Stack, useForm, useMutation } from '@purser/ui';
import { notifications } from '@purser/ui/pages';
import { useState } from 'react';
import { passwordProblem } from './rules';

const TOGGLE = { 'aria-label': 'Show or hide the password' };

export function PasswordForm({ email }: { email: string }) {
  const form = useForm({
    initialValues: { current_password: '', new_password: '' },
    validate: { current_password: (value) => (value === '' ? 'Enter your current password' : null), new_password: passwordProblem },
  });
  const [placed, setPlaced] = useState(false);
  const task = useMutation({
    mutationFn: (body: typeof form.values) => call(api.PUT('/api/v1/auth/password', { body })),
    onSuccess: () => {
      form.reset();
      notifications.show({ title: 'Password changed', message: 'Your other sessions have ended.', color: 'harbor' });
    },
    onError: (error) => {
      const all = applyProblem(form, error);
      const wrong = error instanceof ApiError && error.status === 403 && !all;
      if (wrong) form.setFieldError('current_password', 'This is not your current password');
      setPlaced(all || wrong);
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => { if (!task.isPending) task.mutate(values); })} noValidate>
      <Stack>
        <input type="email" autoComplete="username" value={email} readOnly hidden />
        <PasswordInput label="Current password" autoComplete="current-password" visibilityToggleButtonProps={TOGGLE} {...form.getInputProps('current_password')} />
        <PasswordInput label="New password" autoComplete="new-password" visibilityToggleButtonProps={TOGGLE} {...form.getInputProps('new_password')} />
        {!placed && <InlineError error={task.error} />}
        <Group><Button type="submit" loading={task.isPending}>Change password</Button></Group>
      </Stack>
    </form>
  );
}
