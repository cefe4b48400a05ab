/** Light or dark, and who one is. */
import { lazy, Suspense } from 'react';
import { useSession } from '@purser/api';
import { ActionIcon, Button, Icon, Link, Skeleton, useComputedColorScheme, useLocation, useMantineColorScheme } from '@purser/ui';

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
  return <Suspense fallback={place}><UserMenu user={session.user} /></Suspense>;
}
