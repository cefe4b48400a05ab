/** Accounts: register, sign in, profile, password, devices; for administrators all of them. */
import { lazyPage, Navigate, Route, Routes } from '@purser/ui';
import { RegisterPage } from './register-page';
import { SignInPage } from './sign-in-page';

const AccountPage = lazyPage(() => import('./account-page'));
const UsersPage = lazyPage(() => import('./users-page'));
const UserPage = lazyPage(() => import('./user-page'));

export default function App() {
  return (
    <Routes>
      <Route path="/sign-in" element={<SignInPage />} />
      <Route path="/register" element={<RegisterPage />} />
      <Route path="/account" element={<AccountPage />} />
      <Route path="/admin/users" element={<UsersPage />} />
      <Route path="/admin/users/:id" element={<UserPage />} />
      <Route path="*" element={<Navigate to="/account" replace />} />
    </Routes>
  );
}
