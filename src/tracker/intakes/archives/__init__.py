"""Events in the exports of other products, by the rules of their intakes."""
