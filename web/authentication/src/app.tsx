/** Accounts: register, sign in, profile, password, devices. */
import { Navigate, Route, Routes } from '@purser/ui';
import { AccountPage } from './account-page';
import { RegisterPage } from './register-page';
import { SignInPage } from './sign-in-page';

export default function App() {
  return (
    <Routes>
      <Route path="/sign-in" element={<SignInPage />} />
      <Route path="/register" element={<RegisterPage />} />
      <Route path="/account" element={<AccountPage />} />
      <Route path="*" element={<Navigate to="/account" replace />} />
    </Routes>
  );
}
