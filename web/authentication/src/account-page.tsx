/** Everything about one's own account. */
import { api, call, endSession, useUser } from '@purser/api';
import { Card, Group, Page, PageHeader, Stack, Text, Title } from '@purser/ui';
import { ConfirmButton } from '@purser/ui/pages';
import { Devices } from './devices';
import { PasswordForm } from './password-form';
import { ProfileForm } from './profile-form';

export default function AccountPage() {
  const user = useUser();
  if (user === null) return null;
  return (
    <Page size="sm">
      <PageHeader title="Account" text={user.email} />
      <Card><Stack><Title order={2}>Profile</Title><ProfileForm user={user} /></Stack></Card>
      <Card><Stack><Title order={2}>Password</Title><PasswordForm email={user.email} /></Stack></Card>
      <Card>
        <Stack>
          <Stack gap={2}><Title order={2}>Where you are signed in</Title><Text c="dimmed" size="sm">End a session that you do not know, and change your password.</Text></Stack>
          <Devices />
        </Stack>
      </Card>
      <Card>
        <Group justify="space-between">
          <Stack gap={2}><Title order={2}>Delete account</Title><Text c="dimmed" size="sm">Ends every session. This cannot be undone.</Text></Stack>
          <ConfirmButton label="Delete account" variant="light" color="red" question="Delete your account?"
            text="Your profile is removed and you are signed out everywhere." confirm="Delete it" action={deleteAccount} />
        </Group>
      </Card>
    </Page>
  );
}

async function deleteAccount(): Promise<void> {
  await call(api.DELETE('/api/v1/users/me'));
  endSession('chosen');
}
