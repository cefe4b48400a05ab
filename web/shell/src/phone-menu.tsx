/** The navigation where the header has no room for it: a dialog of the browser's own, which keeps the focus and closes by Escape. */
import { useEffect, useRef } from 'react';
import type { MouseEvent } from 'react';
import { ActionIcon, Group, Icon, Logo, useLocation } from '@purser/ui';
import { Navigation } from './navigation';

export function PhoneMenu() {
  const dialog = useRef<HTMLDialogElement>(null);
  const { pathname } = useLocation();
  const close = () => dialog.current?.close();
  useEffect(close, [pathname]);
  const leave = (event: MouseEvent) => {
    const backdrop = event.target === event.currentTarget;
    if (backdrop || (event.target as Element).closest('a') !== null) close();
  };
  return (
    <>
      <ActionIcon hiddenFrom="md" variant="subtle" color="gray" size="lg" aria-label="Menu" aria-haspopup="dialog" onClick={() => dialog.current?.showModal()}><Icon name="menu" size={22} /></ActionIcon>
      <dialog ref={dialog} className="phone-menu" aria-label="Menu" onClick={leave}>
        <Group justify="space-between" mb="md">
          <Logo />
          <ActionIcon variant="subtle" color="gray" size="lg" aria-label="Close the menu" onClick={close}><Icon name="x" /></ActionIcon>
        </Group>
        <Navigation vertical />
      </dialog>
    </>
  );
}
