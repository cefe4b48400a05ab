/** Functions for administrators: what there is, an editor, trying, logs, versions. */
import { Navigate, Route, Routes } from '@purser/ui';
import { FunctionPage } from './function-page';
import { FunctionsPage } from './functions-page';
import { NewFunctionPage } from './new-function-page';

export default function App() {
  return (
    <Routes>
      <Route path="/functions" element={<FunctionsPage />} />
      <Route path="/functions/new" element={<NewFunctionPage />} />
      <Route path="/functions/:name" element={<FunctionPage />} />
      <Route path="*" element={<Navigate to="/functions" replace />} />
    </Routes>
  );
}
