/** The system as it is, for those who run it. */
import { Navigate, Page, PageHeader, Route, Routes, useLocation, useNavigate } from '@purser/ui';
import { Tabs } from '@purser/ui/pages';
import { DeadLettersPanel } from './dead-letters-panel';
import { LedgerPanel } from './ledger-panel';
import { SystemPanel } from './system-panel';

export default function App() {
  return (
    <Routes>
      <Route path="/operations" element={<OperationsPage tab="system" />} />
      <Route path="/operations/dead-letters" element={<OperationsPage tab="dead-letters" />} />
      <Route path="/operations/ledger" element={<OperationsPage tab="ledger" />} />
      <Route path="*" element={<Navigate to="/operations" replace />} />
    </Routes>
  );
}

type Tab = 'system' | 'dead-letters' | 'ledger';

const NAMES: Record<Tab, string> = { system: 'Operations', 'dead-letters': 'Dead letters', ledger: 'Ledger' };

function OperationsPage({ tab }: { tab: Tab }) {
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const go = (value: string | null) => {
    const to = value === 'system' ? '/operations' : `/operations/${value}`;
    if (to !== pathname) navigate(to);
  };
  return (
    <Page size="xl">
      <PageHeader title="Operations" named={NAMES[tab]} />
      <Tabs value={tab} onChange={go} keepMounted={false}>
        <Tabs.List mb="lg"><Tabs.Tab value="system">System</Tabs.Tab><Tabs.Tab value="dead-letters">Dead letters</Tabs.Tab><Tabs.Tab value="ledger">Ledger</Tabs.Tab></Tabs.List>
        <Tabs.Panel value="system"><SystemPanel /></Tabs.Panel>
        <Tabs.Panel value="dead-letters"><DeadLettersPanel /></Tabs.Panel>
        <Tabs.Panel value="ledger"><LedgerPanel /></Tabs.Panel>
      </Tabs>
    </Page>
  );
}
