/** What somebody may do, and the button that changes it. */
import type { User } from '@purser/api';
import { useUser } from '@purser/api';
import { Text } from '@purser/ui';
import { ConfirmButton, StatusBadge } from '@purser/ui/pages';
import { useChangeRole } from './user-requests';

export function RoleBadge({ role }: { role: User['role'] }) {
  return role === 'admin' ? <StatusBadge size="md" color="brass" label="Administrator" /> : <StatusBadge size="md" color="gray" label="User" />;
}

/** Nobody takes their own rights away by a slip: another administrator can. */
export function RoleButton({ user }: { user: User }) {
  const me = useUser();
  const change = useChangeRole();
  if (me?.id === user.id) return <Text size="sm" c="dimmed">This is you</Text>;
  const admin = user.role === 'admin';
  const what = admin ? 'Make a user' : 'Make an administrator';
  return (
    <ConfirmButton size="xs" variant="default" label={what} aria-label={`${what}: ${user.name}`} question={`${what}?`} confirm={what} danger={false}
      text={`${user.name} (${user.email}) is signed out everywhere and has the new rights at the next sign-in.`}
      action={() => change(user, admin ? 'user' : 'admin')} />
  );
}
