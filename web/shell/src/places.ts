/** Which micro front end answers for which address, and who may go there. */
export interface Place {
  remote: string;
  title: string;
  needs: 'nobody' | 'user' | 'admin';
}

const PLACES: [RegExp, Place][] = [
  [/^\/(sign-in|register)$/, { remote: 'authentication', title: 'Sign in', needs: 'nobody' }],
  [/^\/account(\/|$)/, { remote: 'authentication', title: 'Account', needs: 'user' }],
  [/^\/(basket)?$/, { remote: 'orders', title: 'The shop', needs: 'nobody' }],
  [/^\/products\/[^/]+$/, { remote: 'orders', title: 'The shop', needs: 'nobody' }],
  [/^\/checkout$/, { remote: 'orders', title: 'Checkout', needs: 'user' }],
  [/^\/orders(\/|$)/, { remote: 'orders', title: 'Orders', needs: 'user' }],
  [/^\/admin\/users(\/[^/]+)?$/, { remote: 'authentication', title: 'Users', needs: 'admin' }],
  [/^\/admin\/products$/, { remote: 'orders', title: 'Products', needs: 'admin' }],
  [/^\/notifications$/, { remote: 'notifications', title: 'Notifications', needs: 'user' }],
  [/^\/functions(\/|$)/, { remote: 'functions', title: 'Functions', needs: 'admin' }],
  [/^\/operations(\/|$)/, { remote: 'operations', title: 'Operations', needs: 'admin' }],
];

export function placeOf(pathname: string): Place | null {
  const path = pathname.length > 1 ? pathname.replace(/\/+$/, '') : pathname;
  return PLACES.find(([pattern]) => pattern.test(path))?.[1] ?? null;
}
