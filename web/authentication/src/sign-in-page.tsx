/** Sign in, and go on to where one wanted to be. */
import { ApiError, signIn, useSession } from '@purser/api';
import {
  Alert, Anchor, applyProblem, Button, Icon, InlineError, Link, Navigate, PasswordInput, Stack, TextInput, useForm,
  useMutation, useSearchParams,
} from '@purser/ui';
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
      below={<>New here? <Anchor component={Link} to={withNext('/register', next)} underline="always">Create an account</Anchor></>}>
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
  const task = useMutation({
    mutationFn: (values: { email: string; password: string }) => signIn(values.email.trim(), values.password),
    onError: (error) => applyProblem(form, error),
  });
  const wrong = task.error instanceof ApiError && task.error.status === 401;
  return (
    <form onSubmit={form.onSubmit((values) => { if (!task.isPending) task.mutate(values); })} noValidate>
      <Stack>
        <TextInput label="Email" type="email" autoComplete="username" autoFocus {...form.getInputProps('email')} />
        <PasswordInput label="Password" autoComplete="current-password" {...form.getInputProps('password')}
          visibilityToggleButtonProps={{ 'aria-label': 'Show or hide the password' }} />
        {wrong ? (
          <Alert color="red" icon={<Icon name="alert" />} role="alert" title="That did not match">
            The email or the password is not right.
          </Alert>
        ) : <InlineError error={task.error} />}
        <Button type="submit" size="md" loading={task.isPending} fullWidth>Sign in</Button>
      </Stack>
    </form>
  );
}

export function withNext(path: string, next: string | null): string {
  return next === null ? path : `${path}?next=${encodeURIComponent(next)}`;
}
