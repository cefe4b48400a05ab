/** The document's title: what tabs, histories and screen readers call a page. */
import { useEffect } from 'react';
import { useLocation } from 'react-router';

/** The page's own title from the moment it is drawn; without one the frame's for its address stands. */
export function usePageTitle(title: string | undefined): void {
  const { pathname } = useLocation();
  useEffect(() => {
    if (title !== undefined) document.title = `${title} · Purser`;
  }, [title, pathname]);
}
