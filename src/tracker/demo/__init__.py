"""Sample data: the past of a company, and incidents whose causes are known."""
