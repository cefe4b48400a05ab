/** Make an account; one is signed in with it at once. */
import { register, useSession } from '@purser/api';
import {
  Anchor, applyProblem, Button, InlineError, Link, Navigate, PasswordInput, Stack, TextInput, useForm, useMutation,
  useSearchParams,
} from '@purser/ui';
import { useState } from 'react';
import { EntryCard } from './entry-card';
import { emailProblem, nameProblem, passwordProblem, safeNext } from './rules';
import { withNext } from './sign-in-page';

export function RegisterPage() {
  const session = useSession();
  const [search] = useSearchParams();
  const next = search.get('next');
  if (session.status === 'signed-in') return <Navigate to={safeNext(next)} replace />;
  return (
    <EntryCard title="Create your account" named="Register" text="A name, an email, a password. That is all."
      below={<>Already have one? <Anchor component={Link} to={withNext('/sign-in', next)} underline="always">Sign in</Anchor></>}>
      <RegisterForm />
    </EntryCard>
  );
}

function RegisterForm() {
  const form = useForm({
    initialValues: { name: '', email: '', password: '' },
    validate: { name: nameProblem, email: emailProblem, password: passwordProblem },
  });
  const [placed, setPlaced] = useState(false);
  const task = useMutation({
    mutationFn: (values: typeof form.values) => register(values.email.trim(), values.password, values.name.trim()),
    onError: (error) => setPlaced(applyProblem(form, error)),
  });
  return (
    <form onSubmit={form.onSubmit((values) => { if (!task.isPending) task.mutate(values); })} noValidate>
      <Stack>
        <TextInput label="Name" autoComplete="name" autoFocus {...form.getInputProps('name')} />
        <TextInput label="Email" type="email" autoComplete="email" {...form.getInputProps('email')} />
        <PasswordInput label="Password" description="At least 8 characters; a sentence works well." autoComplete="new-password"
          visibilityToggleButtonProps={{ 'aria-label': 'Show or hide the password' }} {...form.getInputProps('password')} />
        {!placed && <InlineError error={task.error} />}
        <Button type="submit" size="md" loading={task.isPending} fullWidth>Create account</Button>
      </Stack>
    </form>
  );
}
