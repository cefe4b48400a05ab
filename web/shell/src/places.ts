/** Which micro front end answers for which address, and who may go there. */
export interface Place {
  remote: string;
  /** Of the document, until the page says its own. */
  title: string;
  needs: 'nobody' | 'user' | 'admin';
}

const PLACES: [RegExp, Place][] = [
  [/^\/sign-in$/, { remote: 'authentication', title: 'Sign in', needs: 'nobody' }],
  [/^\/register$/, { remote: 'authentication', title: 'Register', needs: 'nobody' }],
  [/^\/account(\/|$)/, { remote: 'authentication', title: 'Account', needs: 'user' }],
  [/^\/$/, { remote: 'orders', title: 'The shop', needs: 'nobody' }],
  [/^\/basket$/, { remote: 'orders', title: 'Basket', needs: 'nobody' }],
  [/^\/products\/[^/]+$/, { remote: 'orders', title: 'Product', needs: 'nobody' }],
  [/^\/checkout$/, { remote: 'orders', title: 'Checkout', needs: 'user' }],
  [/^\/orders$/, { remote: 'orders', title: 'Orders', needs: 'user' }],
  [/^\/orders\//, { remote: 'orders', title: 'Order', needs: 'user' }],
  [/^\/admin\/users$/, { remote: 'authentication', title: 'Users', needs: 'admin' }],
  [/^\/admin\/users\/[^/]+$/, { remote: 'authentication', title: 'User', needs: 'admin' }],
  [/^\/admin\/products$/, { remote: 'orders', title: 'Products', needs: 'admin' }],
  [/^\/notifications$/, { remote: 'notifications', title: 'Notifications', needs: 'user' }],
  [/^\/functions$/, { remote: 'functions', title: 'Functions', needs: 'admin' }],
  [/^\/functions\/new$/, { remote: 'functions', title: 'New function', needs: 'admin' }],
  [/^\/functions\//, { remote: 'functions', title: 'Function', needs: 'admin' }],
  [/^\/operations$/, { remote: 'operations', title: 'Operations', needs: 'admin' }],
  [/^\/operations\/dead-letters$/, { remote: 'operations', title: 'Dead letters', needs: 'admin' }],
  [/^\/operations\/ledger$/, { remote: 'operations', title: 'Ledger', needs: 'admin' }],
  [/^\/operations\//, { remote: 'operations', title: 'Operations', needs: 'admin' }],
];

export function placeOf(pathname: string): Place | null {
  const path = pathname.length > 1 ? pathname.replace(/\/+$/, '') : pathname;
  return PLACES.find(([pattern]) => pattern.test(path))?.[1] ?? null;
}
