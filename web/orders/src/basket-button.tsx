/** The basket in the header, with how much is in it. */
import { ActionIcon, Icon, Indicator, Link } from '@purser/ui';
import { basketCount, useBasket } from './basket';

export function BasketButton() {
  const count = basketCount(useBasket());
  const label = count === 0 ? 'Basket, empty' : `Basket, ${count} ${count === 1 ? 'item' : 'items'}`;
  return (
    <Indicator label={count > 99 ? '99+' : count} size={17} offset={5} disabled={count === 0} color="harbor.7" styles={{ indicator: { pointerEvents: 'none' } }}>
      <ActionIcon component={Link} to="/basket" variant="subtle" color="gray" size="lg" aria-label={label}><Icon name="basket" size={21} /></ActionIcon>
    </Indicator>
  );
}
