"""What running in production needs and certificates do not: who leads, whether we live, numbers and logs."""
