/** Sign in, and go on to where one wanted to be. */
import { ApiError, fieldErrors, signIn, useSession } from '@purser/api';
import { Alert, Anchor, Button, Icon, InlineError, Link, Navigate, PasswordInput, Stack, TextInput, useForm, useSearchParams, useSubmit } from '@purser/ui';
import { EntryCard } from './entry-card';
import { emailProblem, safeNext } from './rules';

export function SignInPage() {
  const session = useSession();
  const [search] = useSearchParams();
  const next = search.get('next');
  if (session.status === 'signed-in') return <Navigate to={safeNext(next)} replace />;
  const ended = session.status === 'signed-out' && session.reason === 'ended';
  return (
    <EntryCard title="Welcome back" named="Sign in" text="Sign in to order and to follow your orders."
      other={<>New here? <Anchor component={Link} to={withNext('/register', next)} underline="always">Create an account</Anchor></>}>
      <Stack>
        {ended && (
          <Alert icon={<Icon name="clock" />} color="brass" title="You were signed out" role="status">
            Your session ended, perhaps from another device. Sign in to go on; your basket is still here.
          </Alert>
        )}
        <SignInForm />
      </Stack>
    </EntryCard>
  );
}

function SignInForm() {
  const form = useForm({
    initialValues: { email: '', password: '' },
    validate: { email: emailProblem, password: (value) => (value === '' ? 'Enter your password' : null) },
  });
  const { props, error, isPending } = useSubmit(form, {
    send: ({ email, password }) => signIn(email.trim(), password),
    wordsOf: (problem) => (isMismatch(problem) ? { password: 'The email or the password is not right.' } : fieldErrors(problem)),
  });
  return (
    <form {...props}>
      <Stack className="fields">
        <TextInput label="Email" type="email" autoComplete="username" autoFocus {...form.getInputProps('email')} />
        <PasswordInput label="Password" autoComplete="current-password" {...form.getInputProps('password')} />
        <Button type="submit" size="md" loading={isPending} fullWidth>Sign in</Button>
        <InlineError error={error} />
      </Stack>
    </form>
  );
}

function isMismatch(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401;
}

export function withNext(path: string, next: string | null): string {
  return next === null ? path : `${path}?next=${encodeURIComponent(next)}`;
}
