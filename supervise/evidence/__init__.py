"""Call, SMS, order and quality-check records at scale: how they come in, how long they stay, how they are asked."""
