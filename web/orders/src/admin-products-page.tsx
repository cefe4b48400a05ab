/** The catalogue as its keepers see it. */
import { useState } from 'react';
import type { Product } from '@purser/api';
import { Button, Card, EmptyState, ErrorState, formatMoney, formatNumber, Group, Icon, LoadMore, Modal, Page, PageHeader, Skeleton, Stack, Table, Text, VisuallyHidden } from '@purser/ui';
import { LineThumb } from './line-thumb';
import { ProductForm } from './product-form';
import { useProducts } from './requests';

export function AdminProductsPage() {
  const pages = useProducts();
  const [open, setOpen] = useState<Product | 'new' | null>(null);
  return (
    <Page>
      <PageHeader title="Products" text="Prices and stock; orders take theirs from here." actions={<Button leftSection={<Icon name="plus" />} onClick={() => setOpen('new')}>Add a product</Button>} />
      <Card padding={0}><Body pages={pages} onEdit={setOpen} /></Card>
      <LoadMore pages={pages} />
      <Modal opened={open !== null} onClose={() => setOpen(null)} title={<Text fw={650}>{open === 'new' ? 'Add a product' : 'Change a product'}</Text>} closeButtonProps={{ 'aria-label': 'Close' }}>
        {open !== null && <ProductForm product={open === 'new' ? null : open} onDone={() => setOpen(null)} />}
      </Modal>
    </Page>
  );
}

function Body({ pages, onEdit }: { pages: ReturnType<typeof useProducts>; onEdit: (product: Product) => void }) {
  if (pages.isPending) return <Stack p="md" role="status" aria-label="Loading">{[0, 1, 2, 3, 4].map((n) => <Skeleton key={n} height={48} />)}</Stack>;
  if (pages.isError) return <ErrorState error={pages.error} onRetry={() => void pages.refetch()} />;
  const products = pages.data.pages.flatMap((page) => page.data);
  if (products.length === 0) return <EmptyState icon="receipt" title="No products yet" text="Add the first one." />;
  return (
    <Table.ScrollContainer minWidth={560} type="native" tabIndex={0} role="region" aria-label="Products">
      <Table horizontalSpacing="lg">
        <Table.Thead><Table.Tr><Table.Th>Product</Table.Th><Table.Th ta="right">Price</Table.Th><Table.Th ta="right">Stock</Table.Th><Table.Th><VisuallyHidden>Actions</VisuallyHidden></Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {products.map((product) => (
            <Table.Tr key={product.sku}>
              <Table.Td><Group gap="sm" wrap="nowrap"><LineThumb sku={product.sku} /><Stack gap={0}><Text fw={550}>{product.name}</Text><Text size="sm" c="dimmed">{product.sku}</Text></Stack></Group></Table.Td>
              <Table.Td ta="right" className="numeric">{formatMoney(product.unit_price, product.currency)}</Table.Td>
              <Table.Td ta="right" className="numeric">{formatNumber(product.stock)}</Table.Td>
              <Table.Td ta="right"><Button variant="default" size="xs" aria-label={`Change ${product.name}`} onClick={() => onEdit(product)}>Change</Button></Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
