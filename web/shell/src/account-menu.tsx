/** Light or dark, and who one is. */
import { lazy, Suspense } from 'react';
import { useSession } from '@purser/api';
import type { User } from '@purser/api';
import { ActionIcon, Avatar, Button, Icon, Link, Skeleton, useComputedColorScheme, useLocation, useMantineColorScheme, VisuallyHidden } from '@purser/ui';
import { Boundary } from './boundary';

const UserMenu = lazy(() => import('./user-menu'));

export function SchemeButton() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme('light', { getInitialValueInEffect: false }) === 'dark';
  return (
    <ActionIcon variant="subtle" color="gray" size="lg" aria-label={dark ? 'Use light colours' : 'Use dark colours'}
      onClick={() => setColorScheme(dark ? 'light' : 'dark')}>
      <Icon name={dark ? 'sun' : 'moon'} size={20} />
    </ActionIcon>
  );
}

export function AccountMenu() {
  const session = useSession();
  const place = <Skeleton circle height={36} />;
  const { pathname } = useLocation();
  if (session.status === 'starting') return place;
  if (session.status === 'signed-out') {
    const next = pathname === '/' ? '' : `?next=${encodeURIComponent(pathname)}`;
    return <Button component={Link} to={`/sign-in${next}`} size="sm">Sign in</Button>;
  }
  return <Boundary fallback={<AccountLink user={session.user} />}><Suspense fallback={place}><UserMenu user={session.user} /></Suspense></Boundary>;
}

/** Where the menu cannot be had, the way to the page that has all of it. */
function AccountLink({ user }: { user: User }) {
  return <Link to="/account"><VisuallyHidden>Account of {user.name}</VisuallyHidden><Avatar name={user.name} color="harbor" variant="filled" size={36} alt="" /></Link>;
}
