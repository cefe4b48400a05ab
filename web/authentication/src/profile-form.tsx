/** Name and email. */
import { api, call, updateSessionUser } from '@purser/api';
import type { User } from '@purser/api';
import { applyProblem, Button, Group, InlineError, Stack, TextInput, useForm, useMutation } from '@purser/ui';
import { notifications } from '@purser/ui/pages';
import { useState } from 'react';
import { emailProblem, nameProblem } from './rules';

export function ProfileForm({ user }: { user: User }) {
  const form = useForm({
    initialValues: { name: user.name, email: user.email },
    validate: { name: nameProblem, email: emailProblem },
  });
  const [placed, setPlaced] = useState(false);
  const task = useMutation({
    mutationFn: (values: typeof form.values) => call(api.PATCH('/api/v1/users/me', { body: changed(user, values) })),
    onSuccess: (next) => {
      updateSessionUser(next);
      form.resetDirty();
      notifications.show({ title: 'Saved', message: 'Your profile is up to date.', color: 'harbor' });
    },
    onError: (error) => setPlaced(applyProblem(form, error)),
  });
  return (
    <form onSubmit={form.onSubmit((values) => { if (!task.isPending) task.mutate(values); })} noValidate>
      <Stack>
        <TextInput label="Name" autoComplete="name" {...form.getInputProps('name')} />
        <TextInput label="Email" type="email" autoComplete="email" {...form.getInputProps('email')} />
        {!placed && <InlineError error={task.error} />}
        <Group><Button type="submit" loading={task.isPending} disabled={!form.isDirty()}>Save</Button></Group>
      </Stack>
    </form>
  );
}

/** Only what differs is sent. */
export function changed(user: User, values: { name: string; email: string }): { name?: string; email?: string } {
  const name = values.name.trim();
  const email = values.email.trim();
  return { ...(name === user.name ? {} : { name }), ...(email === user.email ? {} : { email }) };
}
