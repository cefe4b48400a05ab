/** Make an account; one is signed in with it at once. */
import { register, useSession } from '@purser/api';
import { Anchor, Button, InlineError, Link, Navigate, PasswordInput, Stack, TextInput, useForm, useSearchParams, useSubmit } from '@purser/ui';
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
      other={<>Already have one? <Anchor component={Link} to={withNext('/sign-in', next)} underline="always">Sign in</Anchor></>}>
      <RegisterForm />
    </EntryCard>
  );
}

function RegisterForm() {
  const form = useForm({
    initialValues: { name: '', email: '', password: '' },
    validate: { name: nameProblem, email: emailProblem, password: passwordProblem },
  });
  const { props, error, isPending } = useSubmit(form, {
    send: ({ email, password, name }) => register(email.trim(), password, name.trim()),
  });
  return (
    <form {...props}>
      <Stack className="fields">
        <TextInput label="Name" autoComplete="name" autoFocus {...form.getInputProps('name')} />
        <TextInput label="Email" type="email" autoComplete="email" {...form.getInputProps('email')} />
        <PasswordInput label="Password" description="At least 8 characters; a sentence works well." autoComplete="new-password" {...form.getInputProps('password')} />
        <Button type="submit" size="md" loading={isPending} fullWidth>Create account</Button>
        <InlineError error={error} />
      </Stack>
    </form>
  );
}
