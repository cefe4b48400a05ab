/** The small picture of a line. */
import { Box } from '@purser/ui';
import { ProductArt } from '@purser/ui/pages';

export function LineThumb({ sku }: { sku: string }) {
  return <Box w={48} h={48} style={{ borderRadius: 10, overflow: 'hidden', flexShrink: 0 }}><ProductArt sku={sku} height={48} /></Box>;
}
