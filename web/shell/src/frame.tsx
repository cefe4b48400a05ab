/** The frame around every page: header, navigation, the page itself, and a word when the connection is gone. */
import { lazy, Suspense, useEffect, useRef } from 'react';
import { useSession } from '@purser/api';
import { Box, Button, Container, EmptyState, Group, Link, Logo, Navigate, Page, Route, Routes, useLocation, usePageTitle } from '@purser/ui';
import { AccountMenu, SchemeButton } from './account-menu';
import { AwayPage } from './away';
import { Boundary } from './boundary';
import { ConnectionNotice } from './connection-notice';
import { Navigation } from './navigation';
import { PhoneMenu } from './phone-menu';
import { placeOf } from './places';
import { PageSkeleton, RemoteHeaderItem, RemotePage } from './remote';

const Toasts = lazy(() => import('@purser/ui/toasts'));

export function Frame() {
  const { pathname } = useLocation();
  useTopOnMove(pathname);
  const bare = pathname === '/sign-in' || pathname === '/register';
  return (
    <>
      <a className="skip-link" href="#content">Skip to the content</a>
      <header className="frame-header">
        <Container size="xl" h="100%" px={{ base: 'md', sm: 'lg' }}>
          <Group h="100%" justify="space-between" wrap="nowrap">
            <Group gap="lg" wrap="nowrap">
              {!bare && <PhoneMenu />}
              <Link to="/" aria-label="Purser, to the shop" style={{ color: 'inherit', textDecoration: 'none' }}><Logo /></Link>
              {!bare && <Box visibleFrom="md"><Navigation /></Box>}
            </Group>
            <Group gap={6} wrap="nowrap"><HeaderItems bare={bare} /></Group>
          </Group>
        </Container>
      </header>
      <main id="content" tabIndex={-1}>
        <ConnectionNotice />
        <AddressTitle pathname={pathname} />
        <Routes><Route path="*" element={<Content pathname={pathname} />} /></Routes>
      </main>
      {!bare && <Boundary fallback={null}><Suspense fallback={null}><Toasts /></Suspense></Boundary>}
    </>
  );
}

/** Stands before the page, so that a title of the page's own is written after this one. */
function AddressTitle({ pathname }: { pathname: string }) {
  usePageTitle(placeOf(pathname)?.title);
  return null;
}

function HeaderItems({ bare }: { bare: boolean }) {
  const session = useSession();
  return (
    <>
      {!bare && <RemoteHeaderItem name="orders" />}
      {!bare && session.status === 'signed-in' && <RemoteHeaderItem name="notifications" />}
      <SchemeButton />
      {!bare && <AccountMenu />}
    </>
  );
}

function Content({ pathname }: { pathname: string }) {
  const session = useSession();
  const { search } = useLocation();
  const place = placeOf(pathname);
  if (place === null) return <NotFound />;
  if (place.needs !== 'nobody') {
    if (session.status === 'starting') return session.away ? <AwayPage /> : <PageSkeleton />;
    if (session.status === 'signed-out') {
      const next = session.reason === 'chosen' ? '' : `?next=${encodeURIComponent(pathname + search)}`;
      return <Navigate to={`/sign-in${next}`} replace />;
    }
    if (place.needs === 'admin' && session.user.role !== 'admin') return <NotAllowed />;
  }
  return <RemotePage key={place.remote} name={place.remote} title={place.title} />;
}

function NotFound() {
  return (
    <Page title="There is no such page">
      <EmptyState icon="search" title="There is no such page" text="The address may be mistyped, or the page may be gone."
        action={<Button component={Link} to="/">To the shop</Button>} />
    </Page>
  );
}

function NotAllowed() {
  return (
    <Page title="For administrators">
      <EmptyState icon="user" title="This page is for administrators" text="Your account has no access to it."
        action={<Button component={Link} to="/">To the shop</Button>} />
    </Page>
  );
}

/** A new page begins at its top, and a screen reader is told of it. Who goes from tab to tab stays among them. */
function useTopOnMove(pathname: string): void {
  const first = useRef(true);
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    if (document.activeElement?.role === 'tab') return;
    window.scrollTo(0, 0);
    document.getElementById('content')?.focus({ preventScroll: true });
  }, [pathname]);
}
