/** Name and email. */
import { api, call, updateSessionUser } from '@purser/api';
import type { User } from '@purser/api';
import { Button, FormFoot, Stack, TextInput, useForm, useSubmit } from '@purser/ui';
import { notifications } from '@purser/ui/pages';
import { emailProblem, nameProblem } from './rules';

export function ProfileForm({ user }: { user: User }) {
  const form = useForm({
    initialValues: { name: user.name, email: user.email },
    validate: { name: nameProblem, email: emailProblem },
  });
  const { props, error, isPending } = useSubmit(form, {
    send: (values) => call(api.PATCH('/api/v1/users/me', { body: changed(user, values) })),
    done: (next) => {
      updateSessionUser(next);
      form.resetDirty();
      notifications.show({ title: 'Saved', message: 'Your profile is up to date.', color: 'harbor' });
    },
  });
  return (
    <form {...props}>
      <Stack className="fields">
        <TextInput label="Name" autoComplete="name" {...form.getInputProps('name')} />
        <TextInput label="Email" type="email" autoComplete="email" {...form.getInputProps('email')} />
        <FormFoot hint="The email is what you sign in with, on every one of your devices." error={error}><Button type="submit" loading={isPending} disabled={!form.isDirty()}>Save</Button></FormFoot>
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
